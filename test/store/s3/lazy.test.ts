import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

it("The SDK, which takes long to load, is loaded by nothing but a first use", () => {
  const folder = join(import.meta.dirname, "../../../src/store/s3");
  const files = globSync("*.ts", { cwd: folder });
  expect(files.length).toBeGreaterThan(5);
  const eager = /^(?:import|export) (?!type )[^;]*from "(?:@aws-sdk|@smithy)\//m;
  expect(files.filter((file) => eager.test(readFileSync(join(folder, file), "utf8")))).toEqual([]);
});
