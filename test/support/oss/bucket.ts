/** What the strict OSS server knows of a bucket: versions of objects, and uploads that are not finished. */
import { randomUUID } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { Piece, Storage } from "./storage.ts";

export interface StoredObject {
  readonly kind: "object";
  readonly versionId: string;
  readonly pieces: readonly Piece[];
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Absent where copied parts have none. */
  readonly crc: bigint | undefined;
  readonly type: "Normal" | "Multipart";
  /** content-type and x-oss-meta-*. */
  readonly headers: Readonly<Record<string, string>>;
  readonly modified: Date;
}

interface DeleteMarker {
  readonly kind: "marker";
  readonly versionId: string;
}

export interface StoredPart {
  readonly pieces: readonly Piece[];
  readonly size: number;
  readonly etag: string;
  readonly crc: bigint | undefined;
  readonly modified: Date;
}

export interface StoredUpload {
  readonly uploadId: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, StoredPart>;
  readonly initiated: Date;
}

export type NewObject = Omit<StoredObject, "kind" | "versionId" | "modified">;

export class Bucket {
  readonly name: string;
  readonly versioning: "off" | "enabled";
  readonly uploads = new Map<string, StoredUpload>();
  readonly #storage: Storage;
  /** Newest last. */
  readonly #versions = new Map<string, (StoredObject | DeleteMarker)[]>();

  constructor(name: string, versioning: "off" | "enabled", storage: Storage) {
    this.name = name;
    this.versioning = versioning;
    this.#storage = storage;
  }

  /** Keys of the objects that can be seen, sorted. */
  keys(): readonly string[] {
    return [...this.#versions.keys()].filter((key) => this.find(key) !== undefined).sort();
  }

  /** How many versions and delete markers there are of all objects. */
  get versionCount(): number {
    return [...this.#versions.values()].reduce((sum, versions) => sum + versions.length, 0);
  }

  find(key: string, versionId?: string | null): StoredObject | undefined {
    const versions = this.#versions.get(key) ?? [];
    const found =
      versionId === undefined || versionId === null
        ? versions.at(-1)
        : versions.find((version) => version.versionId === versionId);
    return found?.kind === "object" ? found : undefined;
  }

  /** @throws Refusal NoSuchKey */
  get(key: string, versionId?: string | null): StoredObject {
    const found = this.find(key, versionId);
    if (found === undefined) throw new Refusal(404, "NoSuchKey", "The specified key does not exist.");
    return found;
  }

  async put(key: string, object: NewObject, now: number): Promise<StoredObject> {
    const versions = this.#versions.get(key) ?? [];
    const versionId = this.versioning === "enabled" ? `CAE${randomUUID().replaceAll("-", "")}` : "null";
    const stored: StoredObject = { kind: "object", ...object, versionId, modified: new Date(now) };
    const replaced = this.versioning === "off" ? versions.splice(0) : [];
    versions.push(stored);
    this.#versions.set(key, versions);
    for (const old of replaced) if (old.kind === "object") await this.#storage.release(old.pieces);
    return stored;
  }

  async remove(key: string, versionId: string | null | undefined): Promise<Record<string, string>> {
    const versions = this.#versions.get(key) ?? [];
    if (this.versioning === "enabled" && (versionId === undefined || versionId === null)) {
      const marker = { kind: "marker", versionId: randomUUID() } as const;
      this.#versions.set(key, [...versions, marker]);
      return { "x-oss-delete-marker": "true", "x-oss-version-id": marker.versionId };
    }
    const gone = this.versioning === "off" ? versions : versions.filter((v) => v.versionId === versionId);
    const left = versions.filter((version) => !gone.includes(version));
    if (left.length === 0) this.#versions.delete(key);
    else this.#versions.set(key, left);
    for (const old of gone) if (old.kind === "object") await this.#storage.release(old.pieces);
    return {};
  }

  /** @throws Refusal NoSuchUpload */
  upload(key: string, uploadId: string | null | undefined): StoredUpload {
    const upload = this.uploads.get(uploadId ?? "");
    if (upload === undefined || upload.key !== key) {
      const text = "The specified upload does not exist. The upload ID may be invalid, aborted or completed.";
      throw new Refusal(404, "NoSuchUpload", text, { ec: "0042-00000002" });
    }
    return upload;
  }

  /** @throws Refusal FileAlreadyExists; never where versions are kept, as OSS documents it. */
  checkOverwrite(key: string, forbid: string | undefined): void {
    if (forbid === undefined) return;
    if (forbid !== "true" && forbid !== "false") {
      throw new Refusal(400, "InvalidArgument", "x-oss-forbid-overwrite must be true or false.");
    }
    if (forbid === "true" && this.versioning === "off" && this.find(key) !== undefined) {
      const text = "The object you specified already exists and can not be overwritten.";
      throw new Refusal(409, "FileAlreadyExists", text, { ec: "0026-00000002" });
    }
  }
}
