/** Which copies may be encrypted: the rules of CopyImage about keys, in the order in which they are held. */
import type { Key } from "../catalog/key.ts";
import type { Catalogue } from "../record/record.ts";
import type { CopyCase } from "./copy-rules.ts";
import { type Reason, refusal } from "./refusal.ts";
import type { CopyEncryption } from "./request.ts";

interface EncryptionCase extends CopyCase {
  readonly encryption: CopyEncryption;
  /** Absent: the request names none. */
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
    broken: ({ to, encryption: { algorithm } }) =>
      algorithm !== undefined && !to.encryptAlgorithms.includes(algorithm),
    message: ({ to }) => `region ${to.id}: does not encrypt with this algorithm`,
  },
  {
    rule: "CP-E33",
    reason: "region-encrypt-on-copy",
    broken: ({ from, to, encryption: { wanted } }) =>
      wanted === "yes" &&
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
    broken: ({ project, encryption: { wanted } }) => wanted === "yes" && project.keyService === "disabled",
    message: ({ project }) => `project ${project.id}: key management is not in use`,
  },
  {
    rule: "CP-E38",
    reason: "key-service-closed",
    broken: ({ project, encryption: { wanted } }) => wanted === "yes" && project.keyService === "enabled",
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

/** @throws the refusal of the first rule that is broken. */
export async function checkEncryption(copy: EncryptionCase, { keys }: Catalogue): Promise<void> {
  const { encryption, project, to } = copy;
  hold(BEFORE_KEY, copy);
  if (encryption.key !== undefined) {
    const found = await keys.get(encryption.key);
    if (found?.entry.project !== project.id || found.entry.region !== to.id) {
      throw refusal("key-not-found", `there is no key ${encryption.key} in ${to.id}`, { rule: "CP-E48" });
    }
    hold(OF_KEY, { ...copy, key: found.entry });
  }
  const wanted =
    encryption.wanted === "unsaid" && project.defaultEncryption === "on" ? "yes" : encryption.wanted;
  // Better no copy than a plain one where ciphertext was asked for.
  if (wanted === "yes") {
    throw refusal("encryption-unsupported", "this daemon cannot encrypt what it stores");
  }
}

function hold(rules: readonly EncryptionRule[], copy: EncryptionCase): void {
  const broken = rules.find((rule) => rule.broken(copy));
  if (broken !== undefined) throw refusal(broken.reason, broken.message(copy), { rule: broken.rule });
}
