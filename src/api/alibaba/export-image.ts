/** ExportImage. */
import { GiB } from "../../bytes/units.ts";
import type { ExportRequest } from "../../service/request.ts";
import type { Action, Asked } from "./asked.ts";
import { bucketFaults, destinationOf } from "./bucket.ts";
import { unlessDry } from "./dry-run.ts";
import { refused } from "./refused.ts";
import { format, given, required, token } from "./words.ts";

const NAME = "ExportImage";
/** 2.4: exports in RAW are archives that hold the disk. */
const RAW = "tar.gz";
/** EX-12: no other name counts. */
const ROLE = "AliyunECSImageExportDefaultRole";

export const exportImage: Action = {
  name: NAME,
  refusals: {
    reasons: {
      "not-owner": "EX-E1",
      "exports-refused": "EX-E1",
      "image-status": "EX-E2",
      "snapshot-missing": "EX-E2",
      "destination-not-found": "EX-E6",
      "destination-region": "EX-E6",
      "destination-image-store": "EX-E6",
      "region-not-found": "EX-E8",
      "image-not-found": "EX-E10",
      "image-marketplace": "EX-E11",
      "region-import-export": "EX-E12",
      "export-unfinished": "EX-E13",
      // The last one is still on its way to its end.
      cancelling: "EX-E13",
      "image-disks": "EX-9",
      "role-missing": "EX-12",
      "image-encrypted": "export-encrypted",
      "region-format": "export-format",
      "quota-exports": "export-quota",
      "quota-weekly-exports": "export-weekly",
      "object-exists": "EX-E9",
      "object-unfinished": "EX-E9",
    },
    codes: { ...bucketFaults({ missing: "EX-E6", failed: "EX-E9" }), NO_SPACE: "EX-E9" },
  },
  async answer(asked) {
    const { service, caller, signal } = asked;
    const request = await requestOf(asked);
    const { task } = await unlessDry(asked, request, (one) => service.exportImage(caller, one, signal));
    return { RegionId: request.region, ExportTaskId: task.id, TaskId: task.id };
  },
};

async function requestOf(asked: Asked): Promise<ExportRequest> {
  const { parameters } = asked;
  const tokenGiven = token(asked, NAME);
  const region = required(parameters, "RegionId", "EX-E3");
  const image = required(parameters, "ImageId", "EX-E4");
  const bucket = required(parameters, "OssBucket", "EX-E5");
  const prefix = parameters.said("OssPrefix");
  if (prefix !== undefined && !/^[0-9A-Za-z]{1,30}$/.test(prefix)) throw refused("EX-E7");
  const written = format(parameters, "ImageFormat", "export-format");
  const role = parameters.text("RoleName") ?? ROLE;
  if (role !== ROLE) throw refused("EX-12");
  return {
    kind: "export",
    ...tokenGiven,
    region,
    from: { kind: "image", image },
    destination: await destinationOf(asked, bucket, region),
    object: { is: "made", ...given("prefix", prefix) },
    ...(written === undefined ? {} : { write: { format: written === "raw" ? RAW : written } }),
    rawAs: RAW,
    // EX-E13.
    alone: "image",
    // EX-9, EX-10.
    largest: { dataDisks: 4, dataDiskBytes: 500 * GiB },
    role,
  };
}
