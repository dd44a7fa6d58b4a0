import { CEPH, CEPH_REASON } from "../support/ceph.ts";
import { s3AtCeph } from "./s3-store.ts";
import { S3_CHAINS } from "./s3-windows.ts";
import { survivesKills } from "./survives-kills.ts";

survivesKills(`S3 at a Ceph gateway, killed${CEPH_REASON}`, CEPH, s3AtCeph, S3_CHAINS);
