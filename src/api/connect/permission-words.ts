/** Whether something may be done, in messages. */
import { enumWords } from "./enum-words.ts";
import { PermissionSchema } from "./generated/diskferry/v1/permission_pb.ts";

export const PERMISSION = enumWords(PermissionSchema, ["allowed", "refused"]);
