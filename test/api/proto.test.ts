import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BUF_MISSING, buf, PROTO } from "./programs.ts";

const GENERATED = "src/api/connect/generated";
const ROOT = join(import.meta.dirname, "../..");

function textsIn(root: string) {
  const files = globSync("**/*.ts", { cwd: join(root, GENERATED) }).toSorted();
  return files.map((file) => [file, readFileSync(join(root, GENERATED, file), "utf8")]);
}

describe.skipIf(BUF_MISSING !== "")(`the .proto files${BUF_MISSING}`, () => {
  it("are what the generated code was made of", async () => {
    const directory = await mkdtemp(join(tmpdir(), "api-proto-"));
    const { stderr } = await buf("generate", "--template", `${PROTO}/buf.gen.yaml`, "--output", directory);
    expect(stderr).toBe("");
    const made = textsIn(directory);
    expect(made.length).toBeGreaterThan(10);
    expect(made).toEqual(textsIn(ROOT));
    await rm(directory, { recursive: true });
  });
});
