/** What stands in the configuration file: stores with their credentials, and defaults. */
import { parseDocument } from "yaml";
import { z } from "zod";
import { Fault } from "../fault/fault.ts";
import { ossConfigSchema } from "../store/oss/config.ts";
import { S3Config } from "../store/s3/config.ts";
import { SwiftConfig } from "../store/swift/config.ts";

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
  const document = parseDocument(text);
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new Fault("USAGE", `${path}:${broken.linePos?.[0].line ?? 1}: ${broken.message.split("\n")[0]}`);
  }
  const parsed = settingsSchema.safeParse(plainValues(document, path));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = (issue?.path ?? []).map(String);
  // The message names the field; it never repeats the value, which may be a secret.
  throw new Fault(
    "USAGE",
    `${path}:${lineOf(document, text, at)}: ${at.join(".") || "settings"}: ${issue?.message}`,
  );
}

/** Aliases that lead nowhere fail only here, with a message that would repeat what may be a secret. */
function plainValues(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new Fault(
      "USAGE",
      `${path}: refers to an anchor that it does not define; quote values that begin with *`,
    );
  }
}

function lineOf(document: ReturnType<typeof parseDocument>, text: string, path: readonly string[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true) as { range?: readonly number[] } | undefined;
    if (node?.range?.[0] !== undefined) return text.slice(0, node.range[0]).split("\n").length;
  }
  return 1;
}
