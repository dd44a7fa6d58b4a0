/** Which copies are encrypted, and with what: the rules of CopyImage about keys, in the order in which they are held. */
import { isEncrypted } from "../catalog/image.ts";
import type { Key } from "../catalog/key.ts";
import type { CopyCase } from "./copy-rules.ts";
import { serviceKey } from "./image-keys.ts";
import type { ServicePorts } from "./ports.ts";
import { type Reason, refusal } from "./refusal.ts";

interface EncryptionCase extends CopyCase {
  /** What the copy becomes. */
  readonly becomes: "encrypted" | "plain";
  /** Names of the algorithms that this daemon has. */
  readonly algorithms: readonly string[];
  /** Absent: it is not made yet. */
  readonly key?: Key;
}

interface EncryptionRule {
  readonly rule: string;
  readonly reason: Reason;
  readonly broken: (copy: EncryptionCase) => boolean;
  readonly message: (copy: EncryptionCase) => string;
}

const BEFORE_KEY: readonly EncryptionRule[] = [
  {
    rule: "CP-E40",
    reason: "default-encryption",
    broken: ({ project, encryption }) => project.defaultEncryption === "on" && encryption.wanted === "no",
    message: ({ project }) => `project ${project.id}: encrypts whatever is written`,
  },
  {
    rule: "CP-E37",
    reason: "region-algorithm",
    broken: ({ to, algorithms, encryption: { algorithm } }) =>
      algorithm !== undefined &&
      !(to.encryptAlgorithms.includes(algorithm) && algorithms.includes(algorithm)),
    message: ({ to }) => `region ${to.id}: does not encrypt with this algorithm`,
  },
  {
    rule: "CP-E33",
    reason: "region-encrypt-on-copy",
    broken: ({ image, from, to, becomes }) =>
      becomes === "encrypted" &&
      !isEncrypted(image) &&
      from.id !== to.id &&
      (from.encryptOnCopy === "refused" || to.encryptOnCopy === "refused"),
    message: ({ from, to }) => `a plain image is not encrypted on its way from ${from.id} to ${to.id}`,
  },
  {
    rule: "CP-E35",
    reason: "region-own-keys",
    broken: ({ to, encryption: { key } }) => key !== undefined && to.ownKeys === "refused",
    message: ({ to }) => `region ${to.id}: takes no keys of users`,
  },
  {
    rule: "CP-E36",
    reason: "own-keys-refused",
    broken: ({ project, encryption: { key } }) => key !== undefined && project.ownKeys === "refused",
    message: ({ project }) => `project ${project.id}: may bring no keys of its own`,
  },
  {
    rule: "CP-E13",
    reason: "key-service-disabled",
    broken: ({ project, becomes }) => becomes === "encrypted" && project.keyService === "disabled",
    message: ({ project }) => `project ${project.id}: key management is not in use`,
  },
  {
    rule: "CP-E38",
    reason: "key-service-closed",
    broken: ({ project, becomes }) => becomes === "encrypted" && project.keyService === "enabled",
    message: ({ project }) => `project ${project.id}: key management is not open to this service`,
  },
];

const OF_KEY: readonly EncryptionRule[] = [
  {
    rule: "CP-E34",
    reason: "key-grant",
    broken: ({ key }) => key?.serviceGrant === "no",
    message: ({ key }) => `key ${key?.id}: this service may not use it`,
  },
  {
    rule: "CP-E43",
    reason: "key-state",
    broken: ({ key }) => key !== undefined && key.state !== "Enabled",
    message: ({ key }) => `key ${key?.id}: is ${key?.state}`,
  },
  {
    rule: "CP-E44",
    reason: "key-tag-grant",
    broken: ({ key }) => key?.tagGrant === "no",
    message: ({ key }) => `key ${key?.id}: this service may not tag it`,
  },
];

/**
 * The id of the key that the copy is to be encrypted with; undefined: it is to be plain.
 * @throws the refusal of the first rule that is broken.
 */
export async function keyFor(
  copy: CopyCase,
  { record, masterKeys }: Pick<ServicePorts, "record" | "masterKeys">,
): Promise<string | undefined> {
  const { encryption, project, image, from, to } = copy;
  const { keys } = record.catalogue;
  const wanted = { ...copy, becomes: becomes(copy), algorithms: [masterKeys.algorithm] };
  hold(BEFORE_KEY, wanted);
  if (encryption.key !== undefined) {
    const found = await keys.get(encryption.key);
    if (found?.entry.project !== project.id || found.entry.region !== to.id) {
      throw refusal("key-not-found", `there is no key ${encryption.key} in ${to.id}`, { rule: "CP-E48" });
    }
    hold(OF_KEY, { ...wanted, key: found.entry });
  }
  if (wanted.becomes === "plain") return undefined;
  if (encryption.key !== undefined) return encryption.key;
  // Within its region a copy keeps the key of its source, if that is the caller's own.
  const same = image.encryption === undefined ? undefined : await keys.get(image.encryption.key);
  const keeps = from.id === to.id && same?.entry.project === project.id;
  if (keeps) return same?.entry.id;
  const own = await keys.get(serviceKey(to.id));
  if (own !== undefined) hold(OF_KEY, { ...wanted, key: own.entry });
  return serviceKey(to.id);
}

/** What is encrypted stays so unless somebody says otherwise. */
function becomes({ encryption: { wanted }, project, image }: CopyCase): "encrypted" | "plain" {
  if (wanted !== "unsaid") return wanted === "yes" ? "encrypted" : "plain";
  return project.defaultEncryption === "on" || isEncrypted(image) ? "encrypted" : "plain";
}

function hold(rules: readonly EncryptionRule[], copy: EncryptionCase): void {
  const broken = rules.find((rule) => rule.broken(copy));
  if (broken !== undefined) throw refusal(broken.reason, broken.message(copy), { rule: broken.rule });
}
