/** The keys of images, as the service and the runs need them, over the local keyring. */
import { CONTENT_ALGORITHM } from "../cipher/content-cipher.ts";
import { Fault } from "../fault/fault.ts";
import type { Keyring } from "../keyring/keyring.ts";
import type { DataKeys, Note } from "../schedule/ports.ts";
import type { MasterKeys } from "../service/ports.ts";

/** @param note told why a key is of no use: callers are only told that it is so */
export function dataKeysOf(keyring: Keyring, note: Note): DataKeys & MasterKeys {
  const noted = <T>(key: string, work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      const fault = Fault.from(error, `key ${key}`);
      note("error", "key-unusable", { key, code: fault.code, message: fault.message });
      throw fault;
    });
  const unwrap: DataKeys["unwrap"] = async (image, { key, algorithm, dataKey }) => {
    if (algorithm === CONTENT_ALGORITHM) return noted(key, keyring.unwrap({ key, image }, dataKey));
    throw new Fault("UNSUPPORTED_FEATURE", `image ${image}: is encrypted with ${algorithm}`);
  };
  return {
    algorithm: CONTENT_ALGORITHM,
    make: (key) => noted(key, keyring.make(key)),
    async wrapFresh(image, key) {
      const dataKey = await noted(key, keyring.wrapFresh({ key, image }));
      return { key, algorithm: CONTENT_ALGORITHM, dataKey };
    },
    unwrap,
    async opens(image, encryption) {
      return unwrap(image, encryption).then(
        () => "yes",
        () => "no",
      );
    },
  };
}
