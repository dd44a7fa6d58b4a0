/** What each parameter may be, by the number of its rule: at its bounds, and one step beyond them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IMAGE_STATUSES } from "../../../src/catalog/image.ts";
import { ROOT } from "../../service/world.ts";
import { type Alibaba, alibaba, COPY, EXPORT, IMPORT, type Params } from "./alibaba.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

/** The code of the refusal; undefined: it is accepted, and a task is there. */
type Row = readonly [rule: string, said: string, params: Params, code?: string];

function named(rows: readonly Row[]) {
  return rows.map(([rule, said, params, code]) => ({ rule, said, params, code }));
}

async function meets(action: string, usual: Params, params: Params, code: string | undefined): Promise<void> {
  const { body } = await ali.ask(action, { ...usual, ...params });
  expect(body.Code).toBe(code);
  const { total } = await ali.here.world.service.listTasks(ROOT, {});
  expect(total).toBe(code === undefined ? 1 : 0);
}

const NO_SYSTEM: Params = {
  "DiskDeviceMapping.1.OSSBucket": undefined,
  "DiskDeviceMapping.1.OSSObject": undefined,
};
const inBucket = (name: string): Params => ({ "DiskDeviceMapping.1.OSSBucket": name });
const object = (name: string): Params => ({ "DiskDeviceMapping.1.OSSObject": name });
const tag = (key: string, value: string): Params => ({ "Tag.1.Key": key, "Tag.1.Value": value });

const TOKENS: readonly Row[] = [
  ["CP-12 EX-6", "a token of 64 characters", { ClientToken: "t".repeat(64) }],
  ["CP-12 EX-6", "a token of 65", { ClientToken: "t".repeat(65) }, "InvalidParameter"],
  ["CP-12 EX-6", "a token beyond ASCII", { ClientToken: "é" }, "InvalidParameter"],
];

describe("ExportImage takes, or refuses,", () => {
  const prefix = (OssPrefix: string) => ({ OssPrefix });
  const rows: readonly Row[] = [
    ["EX-2", "no region", { RegionId: undefined }, "MissingParameter"],
    ["EX-2", "an empty region", { RegionId: "" }, "MissingParameter"],
    ["EX-2", "a region that is not the image's", { RegionId: "west" }, "ImageId.NotFound"],
    ["EX-3", "no image", { ImageId: undefined }, "MissingParameter"],
    ["EX-4", "no bucket", { OssBucket: undefined }, "MissingParameter"],
    ["EX-5", "no prefix", {}],
    ["EX-5", "a prefix of one digit", prefix("0")],
    ["EX-5", "a prefix of 30 letters", prefix("aZ".repeat(15))],
    ["EX-5", "a prefix of 31", prefix("a".repeat(31)), "OssPrefix.Malformed"],
    ["EX-5", "an empty prefix", prefix(""), "OssPrefix.Malformed"],
    ["EX-5", "a prefix that is a path", prefix("a/b"), "OssPrefix.Malformed"],
    ["EX-5", "a prefix beyond ASCII", prefix("é"), "OssPrefix.Malformed"],
    ["EX-7", "a bucket of the image's region", { OssBucket: "east-bucket" }],
    ["EX-7", "a bucket of another", { OssBucket: "west-bucket" }, "OssBucket.NotFound"],
    ["EX-12", "the role by its name", { RoleName: "AliyunECSImageExportDefaultRole" }],
    ["EX-12", "a role by another", { RoleName: "Aliyun" }, "NoSetRoletoECSServiceAcount"],
    ...TOKENS,
  ];
  it.each(named(rows))("$rule $said", ({ params, code }) => meets("ExportImage", EXPORT, params, code));
});

describe("ImportImage takes, or refuses,", () => {
  const size = (n: number, GiB: string) => ({ [`DiskDeviceMapping.${n}.DiskImageSize`]: GiB });
  const disk = (n: number, more: Params = {}): Params => ({
    [`DiskDeviceMapping.${n}.OSSBucket`]: "east-bucket",
    [`DiskDeviceMapping.${n}.OSSObject`]: "disk.qcow2",
    ...more,
  });
  const all17: Params = Object.assign({}, ...Array.from({ length: 16 }, (_, n) => disk(n + 2)));
  const rows: readonly Row[] = [
    ["IM-2", "no region", { RegionId: undefined }, "MissingParameter"],
    ["IM-4", "a description of 256 characters", { Description: "d".repeat(256) }],
    ["IM-4", "a description of 257", { Description: "d".repeat(257) }, "InvalidDescription.Malformed"],
    [
      "IM-4",
      "a description that is an address",
      { Description: "HTTPS://x" },
      "InvalidDescription.Malformed",
    ],
    ["IM-4", "a description with an address in it", { Description: "see http://x" }],
    ...["i386", "x86_64", "arm64"].map((Architecture): Row => ["IM-5", Architecture, { Architecture }]),
    ["IM-5", "amd64", { Architecture: "amd64" }, "InvalidArchitecture.Malformed"],
    ...["windows", "linux", "Windows", "Linux"].map((OSType): Row => ["IM-6", OSType, { OSType }]),
    ["IM-6", "bsd", { OSType: "bsd" }, "InvalidOSType.Malformed"],
    ...[
      "CentOS",
      "Ubuntu",
      "SUSE",
      "OpenSUSE",
      "Debian",
      "CoreOS",
      "Aliyun",
      "Windows Server 2003",
      "Windows Server 2008",
      "Windows Server 2012",
      "Others Linux",
      "Customized Linux",
    ].map((Platform): Row => ["IM-7", Platform, { Platform }]),
    ["IM-7", "Windows 95", { Platform: "Windows 95" }, "InvalidPlatform.Malformed"],
    ...["RAW", "raw", "VHD", "vhd", "qcow2", "QCOW2"].map(
      (format): Row => ["IM-8", format, { "DiskDeviceMapping.1.Format": format }],
    ),
    ["IM-8", "no format", {}],
    ["IM-8", "iso", { "DiskDeviceMapping.1.Format": "iso" }, "InvalidFormat.Malformed"],
    ["IM-9", "a disk without a bucket", disk(2, { "DiskDeviceMapping.2.OSSBucket": "" }), "MissingParameter"],
    [
      "IM-10",
      "a disk without an object",
      disk(2, { "DiskDeviceMapping.2.OSSObject": "" }),
      "MissingParameter",
    ],
    ["IM-10", "an object in no directory", object("a/../b"), "InvalidOSSObject.Malformed"],
    ["IM-10", "an object that begins with a slash", object("/disk.qcow2"), "InvalidOSSObject.Malformed"],
    ["IM-10", "an object of 1001 bytes", object("o".repeat(1001)), "InvalidOSSObject.Malformed"],
    ["IM-11", "no size", {}],
    ["IM-11", "a system disk of 5 GiB", size(1, "5")],
    ["IM-11", "a system disk of 4", size(1, "4"), "InvalidImageSize"],
    ["IM-11", "a system disk of 500", size(1, "500")],
    ["IM-11", "a system disk of 501", size(1, "501"), "InvalidImageSize"],
    ["IM-11", "a data disk of 5", disk(2, size(2, "5"))],
    ["IM-11", "a data disk of 4", disk(2, size(2, "4")), "InvalidImageSize"],
    ["IM-11", "a data disk of 1000", disk(2, size(2, "1000"))],
    ["IM-11", "a data disk of 1001", disk(2, size(2, "1001")), "InvalidImageSize"],
    ["IM-11", "a size that is no whole number", size(1, "5.5"), "InvalidImageSize"],
    ["IM-12", "17 disks", all17],
    ["IM-12", "an eighteenth, which counts for nothing", { ...all17, ...disk(18, size(18, "0")) }],
    ["IM-12", "data disks without a system disk", { ...NO_SYSTEM, ...disk(2) }, "MissingParameter"],
    ["IM-13", "an object that is not there", object("none.qcow2"), "InvalidOSSObject.NotFound"],
    ["IM-14", "a bucket of another region", inBucket("west-bucket"), "InvalidOSSBucket.NotMatched"],
    ["IM-14", "a bucket of another account", inBucket("p2-bucket"), "InvalidOSSBucket.NotFound"],
    ["IM-16", "the role by its name", { RoleName: "AliyunECSImageImportDefaultRole" }],
    ["IM-16", "a role by another", { RoleName: "Aliyun" }, "NoSetRoletoECSServiceAcount"],
    ...TOKENS,
  ];
  it.each(named(rows))("$rule $said", ({ params, code }) => meets("ImportImage", IMPORT, params, code));
});

describe("CopyImage takes, or refuses,", () => {
  const said = (DestinationDescription: string) => ({ DestinationDescription });
  const rows: readonly Row[] = [
    ["CP-2", "a description of 2 characters", said("dd")],
    ["CP-2", "a description of 1", said("d"), "InvalidDescription.Malformed"],
    ["CP-2", "a description of 256", said("d".repeat(256))],
    ["CP-2", "a description of 257", said("d".repeat(257)), "InvalidDescription.Malformed"],
    ["CP-2", "a description that is an address", said("http://x"), "InvalidDescription.Malformed"],
    ["CP-3", "no image", { ImageId: undefined }, "MissingParameter"],
    ["CP-4", "no source region", { RegionId: undefined }, "MissingParameter"],
    ["CP-4", "a source region that is not the image's", { RegionId: "west" }, "InvalidImageId.NotFound"],
    ["CP-5", "no destination region", { DestinationRegionId: undefined }],
    ["CP-6", "Encrypted as no boolean", { Encrypted: "yes" }, "InvalidParameter"],
    [
      "CP-8",
      "an algorithm with Encrypted=false",
      { Encrypted: "false", EncryptAlgorithm: "AES-256" },
      "InvalidEncrypted.NotMatchEncryptAlgorithm",
    ],
    [
      "CP-9",
      "a resource group that the account lacks",
      { ResourceGroupId: "rg-9" },
      "InvalidResourceGroup.NotFound",
    ],
    ["CP-10", "a key and a value of 128 characters", tag("k".repeat(128), "v".repeat(128))],
    ["CP-10", "a key with an empty value", tag("k", "")],
    ["CP-10", "a key twice", { ...tag("k", "1"), "Tag.2.Key": "k" }, "Duplicate.TagKey"],
    ["CP-10", "the twentieth tag", { "Tag.20.Key": "k" }],
    ["CP-10", "a tag 0", { "Tag.0.Key": "k" }, "InvalidParameter"],
    ["CP-11", "DryRun as no boolean", { DryRun: "perhaps" }, "InvalidParameter"],
    ["CP-11", "a dry run, which is refused as what it is", { DryRun: "true" }, "DryRunOperation"],
    [
      "CP-11",
      "a dry run of what is not there",
      { DryRun: "true", ImageId: "m-0" },
      "InvalidImageId.NotFound",
    ],
    ...TOKENS,
  ];
  it.each(named(rows))("$rule $said", ({ params, code }) => meets("CopyImage", COPY, params, code));

  it.each(IMAGE_STATUSES)("CP-13 an image that is %s", async (status) => {
    await ali.set.image("image-1", { status });
    await meets("CopyImage", COPY, {}, status === "Available" ? undefined : "IncorrectImageStatus");
  });
});
