/** A file that is written by offset, by a thread that others wait for: its writes are done elsewhere. */
import { type FileHandle, open } from "node:fs/promises";
import { Fault } from "../fault/fault.ts";
import type { PutTargetFile } from "../store/store.ts";

export class FileSink implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #name: string;

  private constructor(file: FileHandle, name: string) {
    this.#file = file;
    this.#name = name;
  }

  static async open(target: PutTargetFile): Promise<FileSink> {
    const file = await open(target.path, "r+").catch((error: unknown) => {
      throw Fault.from(error, target.name);
    });
    return new FileSink(file, target.name);
  }

  /** Writes all of `bytes`. @throws Fault NO_SPACE, IO. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file
        .write(bytes, done, bytes.length - done, position + done)
        .catch((error: unknown) => {
          throw Fault.from(error, `${this.#name}: writing at ${position + done}`);
        });
      done += bytesWritten;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
