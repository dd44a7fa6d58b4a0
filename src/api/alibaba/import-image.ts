/** ImportImage. */
import { GiB } from "../../bytes/units.ts";
import type { ImportRequest } from "../../service/request.ts";
import { isObjectName } from "../../service/wellformed.ts";
import type { ImportedDisk } from "../../task/spec.ts";
import { madeImage } from "../../task/spec.ts";
import type { Action, Asked } from "./asked.ts";
import { bucketFaults, destinationOf } from "./bucket.ts";
import { unlessDry } from "./dry-run.ts";
import type { Parameters } from "./parameters.ts";
import { refused } from "./refused.ts";
import {
  architecture,
  bootMode,
  description,
  format,
  given,
  imageName,
  osType,
  platform,
  required,
  resourceGroup,
  tags,
  token,
} from "./words.ts";

const NAME = "ImportImage";
/** IM-16: no other name counts. */
const ROLE = "AliyunECSImageImportDefaultRole";
/** IM-12: what has a greater number is ignored. */
const MOST_DISKS = 17;
/** IM-11, in GiB. */
const SIZES = { least: 5, system: 500, data: 1000 };

export const importImage: Action = {
  name: NAME,
  refusals: {
    reasons: {
      "imports-refused": "IM-E1",
      "image-name-failed": "IM-E2",
      "image-name-taken": "IM-E6",
      "region-not-found": "IM-E14",
      "import-unfinished": "IM-E15",
      // The last one is still on its way to its end.
      cancelling: "IM-E15",
      "region-import-export": "IM-E16",
      "quota-images": "IM-E17",
      "quota-snapshots": "IM-E18",
      "role-missing": "EX-12",
      "destination-not-found": "import-bucket",
      "destination-region": "IM-14",
      "destination-image-store": "import-bucket",
      "object-missing": "IM-13",
    },
    codes: bucketFaults({ missing: "import-bucket", failed: "import-failed" }),
  },
  async answer(asked) {
    const { service, caller, signal } = asked;
    const request = await requestOf(asked);
    const { task } = await unlessDry(asked, request, (one) => service.importImage(caller, one, signal));
    return {
      RegionId: request.region,
      ImageId: madeImage(task.spec),
      ImportTaskId: task.id,
      TaskId: task.id,
    };
  },
};

async function requestOf(asked: Asked): Promise<ImportRequest> {
  const { parameters, key } = asked;
  const tokenGiven = token(asked, NAME);
  const region = required(parameters, "RegionId", "IM-E11");
  const numbers = diskNumbers(parameters);
  for (const n of numbers) {
    if (parameters.text(`DiskDeviceMapping.${n}.OSSBucket`) === undefined) throw refused("IM-E12", String(n));
    if (parameters.text(`DiskDeviceMapping.${n}.OSSObject`) === undefined) throw refused("IM-E13", String(n));
  }
  const role = parameters.text("RoleName") ?? ROLE;
  if (role !== ROLE) throw refused("EX-12");
  const image = {
    ...given("name", imageName(parameters, "ImageName", "IM-E7")),
    ...given("description", description(parameters, "Description", 1, "IM-E4")),
    ...given("architecture", architecture(parameters)),
    ...given("osType", osType(parameters)),
    ...given("platform", platform(parameters)),
    ...given("bootMode", bootMode(parameters)),
    tags: tags(parameters),
    ...given("resourceGroup", resourceGroup(parameters, key)),
  };
  const disks: ImportedDisk[] = [];
  for (const n of numbers) disks.push(await diskOf(asked, n, region));
  return { kind: "import", ...tokenGiven, region, disks, image, objects: "now", role };
}

/** The first is the system disk, and must be there. */
function diskNumbers(parameters: Parameters): readonly number[] {
  const said = parameters.numbersOf("DiskDeviceMapping").filter((n) => n >= 1 && n <= MOST_DISKS);
  return said[0] === 1 ? said : [1, ...said];
}

async function diskOf(asked: Asked, n: number, region: string): Promise<ImportedDisk> {
  const { parameters } = asked;
  const at = `DiskDeviceMapping.${n}`;
  const object = parameters.text(`${at}.OSSObject`) ?? "";
  if (!isObjectName(object)) throw refused("import-key");
  const read = format(parameters, `${at}.Format`, "IM-E5");
  const size = sizeOf(parameters, at, n === 1 ? SIZES.system : SIZES.data);
  const bucket = parameters.text(`${at}.OSSBucket`) ?? "";
  return {
    source: { kind: "object", destination: await destinationOf(asked, bucket, region), object },
    ...given("format", read),
    ...given("virtualSize", size),
  };
}

/** IM-11. `DiskImSize` is what it was called for a time. */
function sizeOf(parameters: Parameters, at: string, most: number): number | undefined {
  const said = parameters.text(`${at}.DiskImageSize`) ?? parameters.text(`${at}.DiskImSize`);
  if (said === undefined) return undefined;
  const size = Number(said);
  if (/^\d{1,5}$/.test(said) && size >= SIZES.least && size <= most) return size * GiB;
  throw refused("IM-E8");
}
