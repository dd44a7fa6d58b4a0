/** Every row of the three error tables, met from a state that an admin or another request has brought about. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../../../src/fault/fault.ts";
import { ROOT, storedDisk, storedImage } from "../../service/world.ts";
import {
  type Alibaba,
  ANN_KEY,
  alibaba,
  BOB_KEY,
  COPY,
  EXPORT,
  IMPORT,
  type Params,
  PLANNED,
} from "./alibaba.ts";
import { DOCUMENTED } from "./documented.ts";

let ali: Alibaba;
beforeEach(async () => {
  ali = await alibaba();
});
afterEach(() => ali[Symbol.asyncDispose]());

/** What is done before, what is then asked, and what the message is about. */
interface Row {
  readonly before?: (ali: Alibaba) => Promise<unknown>;
  readonly params?: Params;
  readonly key?: typeof ANN_KEY;
  readonly about?: string;
}

/** @param about stands for `%s`, or for the number of a disk */
async function meets(rule: string, action: string, usual: Params, row: Row): Promise<void> {
  await row.before?.(ali);
  const { status, body } = await ali.ask(action, { ...usual, ...row.params }, row.key);
  const row_ = DOCUMENTED[rule];
  const message = row_?.message.replace(/%s|(?<=Mapping\.)n(?=\.OSS)/, row.about ?? "");
  expect({ status, code: body.Code, message: body.Message }).toEqual({ ...row_, message });
}

const of = (given: Parameters<Alibaba["set"]["project"]>[1]) => (on: Alibaba) => on.set.project("p1", given);
const image = (given: Parameters<Alibaba["set"]["image"]>[1]) => (on: Alibaba) =>
  on.set.image("image-1", given);
const east = (given: Parameters<Alibaba["set"]["region"]>[1]) => (on: Alibaba) =>
  on.set.region("east", given);
const west = (given: Parameters<Alibaba["set"]["region"]>[1]) => (on: Alibaba) =>
  on.set.region("west", given);
const disk = (given: Parameters<typeof storedDisk>[1]) => image({ disks: [storedDisk("s-1", given)] });
const quota = (given: object) => async (on: Alibaba) => {
  const { entry } = await on.here.world.service.projects.get(ROOT, "p1");
  await on.set.project("p1", { quotas: { ...entry.quotas, ...given } });
};
const failing = (on: Alibaba, error: Fault) => {
  on.here.world.failing = error;
};

const NO_ROLE = {
  status: 403,
  body: {
    Code: "NoSetRoletoECSServiceAcount",
    Message:
      "ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account.",
  },
};

describe("ExportImage refuses", () => {
  const rows: readonly (readonly [rule: string, said: string, row: Row])[] = [
    ["EX-E1", "an image of another account", { before: image({ project: "p2", sharedWith: ["p1"] }) }],
    ["EX-E1", "an account without export (EX-11)", { before: of({ exports: "refused" }) }],
    ["EX-E2", "an image that is not available", { before: image({ status: "UnAvailable" }) }],
    ["EX-E3", "a request without a region", { params: { RegionId: undefined } }],
    ["EX-E4", "a request without an image", { params: { ImageId: undefined } }],
    ["EX-E5", "a request without a bucket", { params: { OssBucket: undefined } }],
    ["EX-E6", "a bucket that is not there", { params: { OssBucket: "nowhere" } }],
    ["EX-E6", "a bucket of another region (EX-7)", { params: { OssBucket: "west-bucket" } }],
    ["EX-E6", "a bucket of another account", { params: { OssBucket: "p2-bucket" } }],
    ["EX-E6", "a bucket that keeps the images of a region", { params: { OssBucket: "east-images" } }],
    [
      "EX-E6",
      "a bucket that its store does not have",
      { before: async (on) => failing(on, new Fault("NOT_FOUND", "no such bucket")) },
    ],
    ["EX-E7", "a prefix of 31 letters (EX-5)", { params: { OssPrefix: "a".repeat(31) } }],
    ["EX-E7", "a prefix with a dash", { params: { OssPrefix: "a-b" } }],
    ["EX-E7", "an empty prefix", { params: { OssPrefix: "" } }],
    ["EX-E8", "a region that is not there", { params: { RegionId: "north" } }],
    [
      "EX-E9",
      "what the store refuses",
      { before: async (on) => failing(on, new Fault("STORE_REFUSED", "no")) },
    ],
    ["EX-E10", "an image that is not there", { params: { ImageId: "image-9" } }],
    ["EX-E10", "an image of another region", { params: { RegionId: "west" } }],
    ["EX-E10", "an image that is not for the caller to see", { key: BOB_KEY }],
    ["EX-E11", "an image of the marketplace", { before: image({ productCode: "cmjj0" }) }],
    ["EX-E11", "an image of such a disk (EX-8)", { before: disk({ marketplaceOrigin: "cmjj0" }) }],
    ["EX-E12", "a region without exports", { before: east({ importExport: "refused" }) }],
    [
      "EX-E13",
      "an image that is being exported, to wherever",
      {
        async before(on) {
          const other = {
            name: "other-bucket",
            region: "east",
            provider: "oss",
            container: "other",
          } as const;
          await on.here.world.service.destinations.register(ROOT, { ...other, location: "oss://other/" });
          await on.ask("ExportImage", EXPORT);
        },
        params: { OssBucket: "other" },
      },
    ],
  ];
  it.each(rows)("%s %s", (rule, _, row) => meets(rule, "ExportImage", EXPORT, row));

  it("EX-E13 an image whose export is being cancelled", async () => {
    const { TaskId } = (await ali.ask("ExportImage", EXPORT)).body;
    await ali.run(TaskId, ...PLANNED);
    await ali.ask("CancelTask", { RegionId: "east", TaskId });
    await meets("EX-E13", "ExportImage", EXPORT, {});
  });

  it("EX-9 five data disks, and takes four", async () => {
    const disks = Array.from({ length: 6 }, (_, n) => storedDisk(`s-${n}`));
    await image({ disks })(ali);
    const refused = { Code: "InvalidImage.DiskAmountOrSize" };
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject({ status: 400, body: refused });
    await image({ disks: disks.slice(0, 5) })(ali);
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject({ status: 200 });
  });

  it("EX-10 a data disk of more than 500 GiB, and takes one of 500, and a system disk of any size", async () => {
    const GiB = 1024 ** 3;
    const disks = (system: number, data: number) => ({
      disks: [
        storedDisk("s-1", { virtualSize: system }),
        storedDisk("s-2", { kind: "data", virtualSize: data }),
      ],
    });
    await image(disks(GiB, 500 * GiB + 512))(ali);
    const refused = { Code: "InvalidImage.DiskAmountOrSize" };
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject({ status: 400, body: refused });
    await image(disks(600 * GiB, 500 * GiB))(ali);
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject({ status: 200 });
  });

  it("EX-12 an account that has not granted the role, and every other role", async () => {
    expect(await ali.ask("ExportImage", { ...EXPORT, RoleName: "MyRole" })).toMatchObject(NO_ROLE);
    await of({ roles: ["AliyunECSImageImportDefaultRole", "MyRole"] })(ali);
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject(NO_ROLE);
    expect(await ali.ask("ExportImage", { ...EXPORT, RoleName: "MyRole" })).toMatchObject(NO_ROLE);
  });

  it("EX-13 a bucket that the service may not write", async () => {
    failing(ali, new Fault("PERMISSION", "AccessDenied"));
    expect(await ali.ask("ExportImage", EXPORT)).toMatchObject(NO_ROLE);
  });

  it("encrypted images, formats that a region has not, and more than the quotas, by their names of 2021", async () => {
    const codeOf = async (params: Params = {}) => {
      const { status, body } = await ali.ask("ExportImage", { ...EXPORT, ...params });
      return [status, body.Code];
    };
    expect(await codeOf({ ImageFormat: "VMDK" })).toEqual([400, "InvalidImageFormat.Malformed"]);
    await east({ exportFormats: ["raw"] })(ali);
    expect(await codeOf({ ImageFormat: "VHD" })).toEqual([400, "InvalidImageFormat.Malformed"]);
    await quota({ exports: 0 })(ali);
    expect(await codeOf({ ImageFormat: "RAW" })).toEqual([403, "ConcurrentQuotaExceed.ExportImage"]);
    await quota({ exports: 9, weeklyExports: 0 })(ali);
    expect(await codeOf({ ImageFormat: "RAW" })).toEqual([403, "WeeklyQuotaExceed.ExportImage"]);
    await disk({ encrypted: "yes" })(ali);
    expect(await codeOf()).toEqual([400, "ImageNotSupported"]);
  });
});

describe("ImportImage refuses", () => {
  const named = async (on: Alibaba, status: "Available" | "CreateFailed") =>
    on.here.world.service.images.register(ROOT, storedImage({ id: "image-2", name: "imported", status }));
  const rows: readonly (readonly [rule: string, said: string, row: Row])[] = [
    ["IM-E1", "an account without imports (D7)", { before: of({ imports: "refused" }) }],
    ["IM-E2", "the name of an import that failed", { before: (on) => named(on, "CreateFailed") }],
    ["IM-E3", "an architecture that there is not (IM-5)", { params: { Architecture: "sparc" } }],
    ["IM-E4", "a description of 257 characters (IM-4)", { params: { Description: "d".repeat(257) } }],
    ["IM-E4", "a description that is an address", { params: { Description: "http://x" } }],
    ["IM-E5", "a format that there is not (IM-8)", { params: { "DiskDeviceMapping.1.Format": "VMDK" } }],
    ["IM-E6", "a name that is taken", { before: (on) => named(on, "Available") }],
    ["IM-E7", "a name of one letter (IM-3)", { params: { ImageName: "a" } }],
    ["IM-E7", "a name of 129 letters", { params: { ImageName: "a".repeat(129) } }],
    ["IM-E7", "a name that begins with a digit", { params: { ImageName: "1a" } }],
    ["IM-E7", "a name that is an address", { params: { ImageName: "http://image" } }],
    ["IM-E7", "a name with a space", { params: { ImageName: "my image" } }],
    ["IM-E8", "a system disk below 5 GiB (IM-11)", { params: { "DiskDeviceMapping.1.DiskImageSize": "4" } }],
    ["IM-E8", "a system disk above 500 GiB", { params: { "DiskDeviceMapping.1.DiskImageSize": "501" } }],
    ["IM-E8", "a size that is no number", { params: { "DiskDeviceMapping.1.DiskImageSize": "5.5" } }],
    [
      "IM-E8",
      "a data disk above 1000 GiB",
      {
        params: {
          "DiskDeviceMapping.2.OSSBucket": "east-bucket",
          "DiskDeviceMapping.2.OSSObject": "disk.qcow2",
          "DiskDeviceMapping.2.DiskImageSize": "1001",
        },
      },
    ],
    ["IM-E9", "an operating system that there is not (IM-6)", { params: { OSType: "beos" } }],
    ["IM-E10", "a platform that there is not (IM-7)", { params: { Platform: "BeOS" } }],
    ["IM-E11", "a request without a region", { params: { RegionId: undefined } }],
    [
      "IM-E12",
      "a disk without a bucket",
      { params: { "DiskDeviceMapping.1.OSSBucket": undefined }, about: "1" },
    ],
    [
      "IM-E12",
      "a request without a disk",
      {
        params: { "DiskDeviceMapping.1.OSSBucket": undefined, "DiskDeviceMapping.1.OSSObject": undefined },
        about: "1",
      },
    ],
    [
      "IM-E12",
      "a data disk without a bucket",
      { params: { "DiskDeviceMapping.17.OSSObject": "x" }, about: "17" },
    ],
    [
      "IM-E13",
      "a disk without an object",
      { params: { "DiskDeviceMapping.1.OSSObject": undefined }, about: "1" },
    ],
    ["IM-E14", "a region that is not there", { params: { RegionId: "north" } }],
    [
      "IM-E15",
      "the same object under the same name, while it is imported",
      { before: (on) => on.ask("ImportImage", IMPORT) },
    ],
    ["IM-E16", "a region without imports", { before: east({ importExport: "refused" }) }],
    ["IM-E17", "more images than the account may have", { before: quota({ images: 1 }) }],
    ["IM-E18", "more disks than the account may have", { before: quota({ snapshots: 1 }) }],
  ];
  it.each(rows)("%s %s", (rule, _, row) => meets(rule, "ImportImage", IMPORT, row));

  it("IM-E15 the same object under the same name, while its import is being cancelled", async () => {
    const { TaskId } = (await ali.ask("ImportImage", IMPORT)).body;
    await ali.run(TaskId, ...PLANNED);
    await ali.ask("CancelTask", { RegionId: "east", TaskId });
    await meets("IM-E15", "ImportImage", IMPORT, {});
  });

  it("IM-E15 DeleteImage of an image that is being imported (IM-15)", async () => {
    const { body } = await ali.ask("ImportImage", IMPORT);
    await meets("IM-E15", "DeleteImage", { RegionId: "east", ImageId: body.ImageId }, {});
  });

  it("IM-13 an object that is not in its bucket", async () => {
    const params = { ...IMPORT, "DiskDeviceMapping.1.OSSObject": "none.qcow2" };
    expect(await ali.ask("ImportImage", params)).toMatchObject({
      status: 400,
      body: { Code: "InvalidOSSObject.NotFound" },
    });
  });

  it("IM-14 a bucket of another region or another account", async () => {
    const from = async (bucket: string) => {
      const { status, body } = await ali.ask("ImportImage", {
        ...IMPORT,
        "DiskDeviceMapping.1.OSSBucket": bucket,
      });
      return [status, body.Code];
    };
    expect(await from("west-bucket")).toEqual([400, "InvalidOSSBucket.NotMatched"]);
    expect(await from("p2-bucket")).toEqual([400, "InvalidOSSBucket.NotFound"]);
    expect(await from("nowhere")).toEqual([400, "InvalidOSSBucket.NotFound"]);
  });

  it("IM-16 an account that has not granted the role, every other role, and a bucket that may not be read", async () => {
    expect(await ali.ask("ImportImage", { ...IMPORT, RoleName: "MyRole" })).toMatchObject(NO_ROLE);
    failing(ali, new Fault("PERMISSION", "AccessDenied"));
    expect(await ali.ask("ImportImage", IMPORT)).toMatchObject(NO_ROLE);
    await of({ roles: ["AliyunECSImageExportDefaultRole"] })(ali);
    expect(await ali.ask("ImportImage", IMPORT)).toMatchObject(NO_ROLE);
  });
});

describe("CopyImage refuses", () => {
  const own = { productCode: "cmjj0", publishedRegions: ["east", "west"] };
  const keyed = { ownKeys: "allowed", keyService: "authorized" } as const;
  const KEYED: Params = { Encrypted: "true", KMSKeyId: "key-1" };
  const byok = async (on: Alibaba, project: Parameters<Alibaba["set"]["project"]>[1] = {}) => {
    await on.set.project("p1", { ...keyed, ...project });
    for (const id of ["east", "west"])
      await on.set.region(id, { ownKeys: "allowed", encryptOnCopy: "allowed" });
  };
  const rows: readonly (readonly [rule: string, said: string, row: Row])[] = [
    ["CP-E1", "a description of one character (CP-2)", { params: { DestinationDescription: "d" } }],
    ["CP-E1", "a description of 257", { params: { DestinationDescription: "d".repeat(257) } }],
    ["CP-E1", "a description that is an address", { params: { DestinationDescription: "https://x" } }],
    ["CP-E2", "a source region that is not there", { params: { RegionId: "north" } }],
    ["CP-E3", "a destination region that is not there", { params: { DestinationRegionId: "north" } }],
    ["CP-E4", "an image that is not available (CP-13)", { before: image({ status: "CreateFailed" }) }],
    ["CP-E5", "a disk whose object is gone", { before: disk({ object: undefined as never }) }],
    [
      "CP-E6",
      "a name that is taken there",
      {
        before: (on) =>
          on.here.world.service.images.register(
            ROOT,
            storedImage({ id: "image-2", name: "copied", region: "west", store: "west-images" }),
          ),
      },
    ],
    ["CP-E7", "a key with Encrypted=false (D5)", { params: { Encrypted: "false", KMSKeyId: "key-1" } }],
    ["CP-E8", "an algorithm without Encrypted", { params: { EncryptAlgorithm: "AES-256" } }],
    ["CP-E9", "an algorithm that there is not", { params: { Encrypted: "true", EncryptAlgorithm: "ROT13" } }],
    ["CP-E10", "a key without Encrypted (D5)", { params: { KMSKeyId: "key-1" } }],
    ["CP-E11", "a community image", { before: image({ visibility: "community" }), key: BOB_KEY }],
    ["CP-E12", "a name of one letter (CP-1)", { params: { DestinationImageName: "a" } }],
    ["CP-E12", "a name that begins with a dash", { params: { DestinationImageName: "-a" } }],
    ["CP-E12", "a name that begins with aliyun", { params: { DestinationImageName: "aliyun-a" } }],
    ["CP-E12", "a name that begins with acs:", { params: { DestinationImageName: "acs:a" } }],
    ["CP-E12", "a name that holds an address", { params: { DestinationImageName: "a-https://b" } }],
    [
      "CP-E13",
      "encryption without key management",
      { before: (on) => byok(on, { keyService: "disabled" }), params: { Encrypted: "true" } },
    ],
    [
      "CP-E14",
      "a second copy of an image while the first is made (D4)",
      { before: (on) => on.ask("CopyImage", COPY), params: { DestinationImageName: "again" } },
    ],
    ["CP-E15", "an account in arrears", { before: of({ payment: "outstanding" }) }],
    [
      "CP-E15",
      "an account in arrears, before it asks for the image",
      { before: of({ payment: "outstanding" }), params: { ImageId: "image-9" } },
    ],
    ["CP-E16", "a tag key twice", { params: { "Tag.1.Key": "a", "Tag.2.Key": "a", "Tag.2.Value": "b" } }],
    ["CP-E17", "an access key without an account", { before: of({ aliUid: undefined as never }) }],
    ["CP-E20", "a copy out of a region that lets none go", { before: east({ egress: "refused" }) }],
    [
      "CP-E21",
      "a copy from where its region takes none",
      { before: west({ ingressFrom: ["west"] }), about: "west" },
    ],
    [
      "CP-E22",
      "more images than the account may have there (D7)",
      { before: quota({ images: 0 }), about: "0" },
    ],
    ["CP-E23", "more disks than the account may have there", { before: quota({ snapshots: 0 }) }],
    [
      "CP-E24",
      "a copy that is not made yet (D4)",
      { before: image({ status: "Creating", source: { image: "image-0", region: "west" } }) },
    ],
    ["CP-E25", "a region that copies nothing", { before: east({ copy: "refused" }) }],
    ["CP-E25", "a region that nothing is copied to", { before: west({ copy: "refused" }) }],
    ["CP-E26", "a disk of before 2013-07-15", { before: disk({ createdAt: Date.UTC(2013, 6, 14, 23, 59) }) }],
    ["CP-E27", "a disk that no image may be made of", { before: disk({ createImage: "refused" }) }],
    [
      "CP-E28",
      "to decrypt within one region (D6)",
      { before: disk({ encrypted: "yes" }), params: { Encrypted: "false", DestinationRegionId: undefined } },
    ],
    ["CP-E29", "an image with an encrypted disk", { before: disk({ encrypted: "yes" }) }],
    [
      "CP-E30",
      "a shared image, to another region (CP-14)",
      { before: image({ sharedWith: ["p2"] }), key: BOB_KEY },
    ],
    [
      "CP-E31",
      "a product that is not published there",
      { before: image({ ...own, publishedRegions: ["east"] }) },
    ],
    [
      "CP-E32",
      "a product that the account has no right to",
      { before: image({ ...own, visibility: "marketplace" }), key: BOB_KEY },
    ],
    [
      "CP-E33",
      "to encrypt on the way to another region",
      { before: of(keyed), params: { Encrypted: "true" } },
    ],
    [
      "CP-E34",
      "a key that the service may not use",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({ serviceGrant: "no" });
        },
        params: KEYED,
      },
    ],
    [
      "CP-E35",
      "a key where the region takes none",
      {
        before: async (on) => {
          await byok(on);
          await on.set.region("west", { ownKeys: "refused" });
        },
        params: KEYED,
      },
    ],
    [
      "CP-E36",
      "a key of an account that may bring none",
      { before: (on) => byok(on, { ownKeys: "refused" }), params: KEYED },
    ],
    [
      "CP-E37",
      "an algorithm that the region has not",
      { before: byok, params: { Encrypted: "true", EncryptAlgorithm: "AES-256" } },
    ],
    [
      "CP-E38",
      "encryption where key management is closed to the service",
      { before: (on) => byok(on, { keyService: "enabled" }), params: { Encrypted: "true" } },
    ],
    ["CP-E39", "a copy that regulations forbid", { before: east({ complianceDeny: ["west"] }) }],
    [
      "CP-E40",
      "a plain copy where the account encrypts",
      { before: of({ defaultEncryption: "on" }), params: { Encrypted: "false" } },
    ],
    [
      "CP-E41",
      "a key whose file is damaged",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({});
          const { keys } = on.here.world;
          for (const name of readdirSync(keys)) writeFileSync(join(keys, name), "{}");
        },
        params: KEYED,
      },
    ],
    [
      "CP-E41",
      "a key whose file is gone",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({});
          rmSync(on.here.world.keys, { recursive: true });
        },
        params: KEYED,
      },
    ],
    ["CP-E42", "an image that is too large", { before: east({ largestCopy: 511 }) }],
    [
      "CP-E43",
      "a key that is disabled",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({ state: "Disabled" });
        },
        params: KEYED,
      },
    ],
    [
      "CP-E44",
      "a key that may not be tagged",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({ tagGrant: "no" });
        },
        params: KEYED,
      },
    ],
    [
      "CP-E45",
      "a VHD where the region copies none",
      {
        before: async (on) => {
          await on.set.image("image-1", { format: "vhd" });
          await on.set.region("west", { vhdCopy: "refused" });
        },
      },
    ],
    ["CP-E46", "an image of a cloud box", { before: image({ cloudBox: "cb-1" }) }],
    ["CP-E47", "an image that is not there", { params: { ImageId: "image-9" } }],
    ["CP-E47", "an image of another region", { params: { RegionId: "west", DestinationRegionId: "east" } }],
    ["CP-E47", "an image that is not for the caller to see", { key: BOB_KEY }],
    ["CP-E48", "a key that is not there", { before: byok, params: KEYED }],
    [
      "CP-E48",
      "a key of another account",
      {
        before: async (on) => {
          await byok(on);
          await on.set.key({ project: "p2" });
        },
        params: KEYED,
      },
    ],
    ["CP-E49", "a resource group that is not there", { params: { ResourceGroupId: "rg-1" } }],
    [
      "CP-E50",
      "an image that a cancelled copy still holds (D4)",
      {
        async before(on) {
          const { body } = await on.ask("CopyImage", COPY);
          const task = await on.making(body.ImageId);
          await on.run(task, { kind: "opened" }, { kind: "planned", total: 100 });
          await on.ask("CancelCopyImage", { RegionId: "west", ImageId: body.ImageId });
        },
        params: { DestinationImageName: "again" },
      },
    ],
  ];
  it.each(rows)("%s %s", (rule, _, row) => meets(rule, "CopyImage", COPY, row));

  it("CP-E50 an image that changes after it was looked at, and takes it when it is asked again", async () => {
    const { record } = ali.here.world.file;
    const { rehearse } = record;
    record.rehearse = async (acceptance) => {
      record.rehearse = rehearse;
      await rehearse(acceptance);
      await ali.set.image("image-1", { description: "another" });
    };
    await meets("CP-E50", "CopyImage", COPY, {});
    expect((await ali.ask("CopyImage", COPY)).status).toBe(200);
  });

  it("CP-E24 DeleteImage of a copy that is not made yet (CP-15)", async () => {
    const { body } = await ali.ask("CopyImage", COPY);
    await meets("CP-E24", "DeleteImage", { RegionId: "west", ImageId: body.ImageId }, {});
  });
});

describe("an access key", () => {
  it("CP-E19 WR-E10 that may not copy, is told so; CP-18 what it may do it does", async () => {
    const key = { ...ANN_KEY, id: "k-2", actions: ["ecs:DescribeRegions", "ecs:ExportImage"] };
    await using other = await alibaba({ keys: [key] });
    const { status, body } = await other.ask("CopyImage", COPY, key);
    expect({ status, code: body.Code, message: body.Message }).toEqual(DOCUMENTED["CP-E19"]);
    expect(await other.ask("ImportImage", IMPORT, key)).toMatchObject({
      status: 403,
      body: { Code: "Forbidden.RAM" },
    });
    expect(await other.ask("DescribeRegions", {}, key)).toMatchObject({ status: 200 });
  });

  it("CP-E19 that is bound to resource groups, and names none of them (CP-9)", async () => {
    const key = { ...ANN_KEY, id: "k-2", resourceGroups: ["rg-1"] };
    await using other = await alibaba({ keys: [key] });
    await other.set.project("p1", { resourceGroups: ["rg-1", "rg-2"] });
    for (const params of [{}, { ResourceGroupId: "rg-2" }]) {
      const { status, body } = await other.ask("CopyImage", { ...COPY, ...params }, key);
      expect({ status, code: body.Code, message: body.Message }).toEqual(DOCUMENTED["CP-E19"]);
    }
    const { body } = await other.ask("CopyImage", { ...COPY, ResourceGroupId: "rg-1" }, key);
    const { entry } = await other.here.world.service.images.get(ROOT, body.ImageId);
    expect(entry.resourceGroup).toBe("rg-1");
  });
});

it("CP-E18 a defect is an InternalError, which the log has and the answer has not", async () => {
  const { service } = ali.here.world;
  await using broken = await alibaba({
    service: { ...service, copyImage: () => Promise.reject(new TypeError("the disk is on fire")) },
  });
  const { status, body } = await broken.ask("CopyImage", COPY);
  expect({ status, code: body.Code, message: body.Message }).toEqual(DOCUMENTED["CP-E18"]);
  expect(String(broken.here.log.find(({ event }) => event === "defect")?.fields["error"])).toContain("fire");
});

it("D12 errors have their names of 2021 where they are configured so", async () => {
  await using later = await alibaba({ alibaba: { errorCodes: "2021" } });
  const refused = async (params: Params) => {
    const { status, body } = await later.ask("ExportImage", { ...EXPORT, ...params });
    return [status, body.Code, body.Message];
  };
  expect(await refused({ ImageId: "image-9" })).toEqual([
    404,
    "InvalidImageId.NotFound",
    "The image does not exist.",
  ]);
  expect((await refused({ OssBucket: "nowhere" })).slice(0, 2)).toEqual([400, "InvalidOSSBucket.NotFound"]);
  expect((await refused({ OssPrefix: "-" })).slice(0, 2)).toEqual([400, "InvalidOSSPrefix.Malformed"]);
  expect((await refused({ RegionId: "north" })).slice(0, 2)).toEqual([400, "InvalidRegionId.NotFound"]);
  await later.ask("ExportImage", EXPORT);
  expect((await refused({})).slice(0, 2)).toEqual([403, "ImageIsExporting"]);
});
