/** What stands in the configuration file: stores with their credentials, and defaults. */
import { z } from "zod";
import { ossConfigSchema } from "../store/oss/config.ts";
import { S3Config } from "../store/s3/config.ts";
import { SwiftConfig } from "../store/swift/config.ts";
import { readYaml } from "./yaml.ts";

const settingsSchema = z.strictObject({
  stores: z
    .strictObject({ swift: SwiftConfig.optional(), s3: S3Config.optional(), oss: ossConfigSchema.optional() })
    .default({}),
  /** Where journals are kept; absent: below the user's state directory. */
  stateDirectory: z.string().min(1).optional(),
});

export type Settings = z.infer<typeof settingsSchema>;

/** @throws Fault USAGE that names the file and the line. */
export function parseSettings(text: string, path: string): Settings {
  return readYaml(text, path, settingsSchema);
}
