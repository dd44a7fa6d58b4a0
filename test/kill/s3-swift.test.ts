import { SWIFT, SWIFT_REASON } from "../support/swift.ts";
import { s3AtSwift } from "./s3-store.ts";
import { S3_CHAINS } from "./s3-windows.ts";
import { survivesKills } from "./survives-kills.ts";

survivesKills(`S3 at OpenStack Swift, killed${SWIFT_REASON}`, SWIFT, s3AtSwift, {
  ...S3_CHAINS,
  replaced: "stays",
});
