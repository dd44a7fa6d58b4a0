/** Which keys images are encrypted with: those of projects, and one of the service for each region. */
import { type Image, isEncrypted } from "../catalog/image.ts";
import type { Key } from "../catalog/key.ts";
import { Fault } from "../fault/fault.ts";
import type { Catalogue } from "../record/record.ts";
import type { Encryption } from "../task/spec.ts";
import type { MasterKeys, ServicePorts } from "./ports.ts";
import { refusal } from "./refusal.ts";
import { malformed } from "./wellformed.ts";

const OF_SERVICE = "service-key/";

/** The id of the key that a region's images are encrypted with where nobody names one. */
export function serviceKey(region: string): string {
  return `${OF_SERVICE}${region}`;
}

/** @throws the refusal of a key that is neither a project's nor a region's own. */
export function checkKey({ id, project, region }: Key): void {
  if (!id.startsWith(OF_SERVICE)) {
    if (project === "") throw malformed("project", `key ${id}: a project has it`);
  } else if (project !== "" || id !== serviceKey(region)) {
    throw malformed("id", `ids that begin with ${OF_SERVICE} are of regions' own keys`);
  }
}

/** @throws the refusal of a key that the first copy makes. */
export function checkNewKey({ id }: Key): void {
  if (id.startsWith(OF_SERVICE)) throw malformed("id", `${id}: a region's own key is made when it is needed`);
}

/** CP-E29: whether an image can be read. */
export async function canRead(
  image: Image,
  { keys }: Catalogue,
  masterKeys: MasterKeys,
): Promise<"yes" | "no"> {
  if (!isEncrypted(image)) return "yes";
  const { encryption } = image;
  const key = encryption === undefined ? undefined : (await keys.get(encryption.key))?.entry;
  if (encryption === undefined || key?.state !== "Enabled" || key.serviceGrant === "no") return "no";
  return masterKeys.opens(image.id, encryption);
}

/**
 * CP-E41: a data key of its own for a new image.
 * @throws the refusal that says that none could be made.
 */
export async function newEncryption(
  image: Pick<Image, "id" | "region">,
  key: string,
  ports: Pick<ServicePorts, "record" | "masterKeys" | "now">,
): Promise<Encryption> {
  const { masterKeys } = ports;
  try {
    if (key === serviceKey(image.region)) await ensureServiceKey(image.region, ports);
    return await masterKeys.wrapFresh(image.id, key);
  } catch (error) {
    const { code } = Fault.from(error, `key ${key}`);
    throw refusal("data-key-failed", `no data key could be made with key ${key}`, { rule: "CP-E41", code });
  }
}

/** Made on first use. What is in the catalogue was made: its file is not made again when it is lost. */
async function ensureServiceKey(
  region: string,
  { record, masterKeys, now }: Pick<ServicePorts, "record" | "masterKeys" | "now">,
): Promise<void> {
  const { keys } = record.catalogue;
  const id = serviceKey(region);
  if ((await keys.get(id)) !== undefined) return;
  await masterKeys.make(id);
  const key: Key = {
    id,
    // No project has it.
    project: "",
    region,
    state: "Enabled",
    serviceGrant: "yes",
    tagGrant: "yes",
    createdAt: now(),
  };
  await keys.add(key).catch((error: unknown) => {
    // Another copy has come first.
    if (!(error instanceof Fault && error.code === "ALREADY_EXISTS")) throw error;
  });
}
