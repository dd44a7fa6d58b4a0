/** CopyImage. */
import type { CopyEncryption, CopyRequest } from "../../service/request.ts";
import { madeImage } from "../../task/spec.ts";
import type { Action, Asked } from "./asked.ts";
import { unlessDry } from "./dry-run.ts";
import type { Parameters } from "./parameters.ts";
import { refused } from "./refused.ts";
import { description, given, imageName, required, resourceGroup, tags, token } from "./words.ts";

const NAME = "CopyImage";

/** What copies may be encrypted with, if their region can. */
const ALGORITHMS = ["AES-256", "SM4-128"];

export const copyImage: Action = {
  name: NAME,
  refusals: {
    reasons: {
      "source-region-not-found": "CP-E2",
      "region-not-found": "CP-E3",
      "image-status": "CP-E4",
      "snapshot-missing": "CP-E5",
      "image-name-taken": "CP-E6",
      "image-name-failed": "CP-E6",
      "image-community": "CP-E11",
      "key-service-disabled": "CP-E13",
      "copy-unfinished": "CP-E14",
      "payment-outstanding": "CP-E15",
      "region-egress": "CP-E20",
      "region-ingress": ["CP-E21", "regions"],
      "quota-images": ["CP-E22", "most"],
      "quota-snapshots": "CP-E23",
      "image-being-copied": "CP-E24",
      "region-copy": "CP-E25",
      "snapshot-too-old": "CP-E26",
      "snapshot-refused": "CP-E27",
      "region-same": "CP-E28",
      "image-encrypted": "CP-E29",
      "image-shared": "CP-E30",
      "image-not-published": "CP-E31",
      "image-not-authorized": "CP-E32",
      "region-encrypt-on-copy": "CP-E33",
      "key-grant": "CP-E34",
      "region-own-keys": "CP-E35",
      "own-keys-refused": "CP-E36",
      "region-algorithm": "CP-E37",
      "key-service-closed": "CP-E38",
      "region-compliance": "CP-E39",
      "default-encryption": "CP-E40",
      "data-key-failed": "CP-E41",
      "image-too-large": "CP-E42",
      "key-state": "CP-E43",
      "key-tag-grant": "CP-E44",
      "image-vhd": "CP-E45",
      "image-cloud-box": "CP-E46",
      "image-not-found": "CP-E47",
      "key-not-found": "CP-E48",
      "resource-group-not-found": "CP-E49",
      // D4.
      cancelling: "CP-E50",
      changed: "CP-E50",
    },
  },
  async answer(asked) {
    const { service, caller, signal } = asked;
    const request = requestOf(asked);
    const { task } = await unlessDry(asked, request, (one) => service.copyImage(caller, one, signal));
    return { ImageId: madeImage(task.spec) };
  },
};

function requestOf({ parameters, key }: Asked): CopyRequest {
  const tokenGiven = token({ parameters }, NAME);
  const image = required(parameters, "ImageId");
  const from = required(parameters, "RegionId");
  const name = imageName(parameters, "DestinationImageName", "CP-E12");
  return {
    kind: "copy",
    ...tokenGiven,
    image,
    from,
    ...given("to", parameters.text("DestinationRegionId")),
    target: {
      ...given("name", name),
      ...given("description", description(parameters, "DestinationDescription", 2, "CP-E1")),
      tags: tags(parameters),
      ...given("resourceGroup", resourceGroup(parameters, key)),
      // CP-E6 is about a name that was specified: one that was not is that of the source, as often as it is copied.
      sameName: name === undefined ? "allow" : "refuse",
    },
    encryption: encryptionOf(parameters),
  };
}

/** CP-6 to CP-8, D5. */
function encryptionOf(parameters: Parameters): CopyEncryption {
  const encrypted = parameters.flag("Encrypted");
  const [key, algorithm] = [parameters.text("KMSKeyId"), parameters.text("EncryptAlgorithm")];
  if (algorithm !== undefined && !ALGORITHMS.includes(algorithm)) throw refused("CP-E9");
  if (algorithm !== undefined && encrypted !== true) throw refused("CP-E8");
  if (key !== undefined && encrypted === false) throw refused("CP-E7");
  if (key !== undefined && encrypted === undefined) throw refused("CP-E10");
  return {
    wanted: encrypted === undefined ? "unsaid" : encrypted ? "yes" : "no",
    ...given("key", key),
    ...given("algorithm", algorithm),
  };
}
