import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Program } from "./program.ts";

const program = new Program();
afterAll(() => program[Symbol.dispose]());

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  version: string;
};

const COMMANDS = [
  ...["transfer", "inspect", "verify", "doctor", "demo", "serve"],
  ...["import", "export", "copy", "tasks", "task", "watch", "cancel", "images", "regions", "limits"],
];

/** Lines of the description that end within a sentence, though the next word would have stood there. */
function endedEarly(help: string): string[] {
  const lines = help.slice(0, help.indexOf("\nOptions:")).split("\n");
  return lines.filter((line, index) => {
    const [word = ""] = (lines[index + 1] ?? "").split(" ");
    return line !== "" && word !== "" && !/[.)]$/.test(line) && `${line} ${word}`.length < 80;
  });
}

describe("diskferry without work to do", () => {
  it("tells its version, which is that of the package", async () => {
    expect(await program.run("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("lists its commands", async () => {
    const { status, stdout } = await program.run("--help");
    expect(status).toBe(0);
    for (const command of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b.* {2,}\\w`, "m"));
    }
  });

  it.each(COMMANDS)("explains %s", async (command) => {
    const { status, stdout, stderr } = await program.run(command, "--help");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`Usage: diskferry ${command}`);
    expect(endedEarly(stdout)).toEqual([]);
    expect(stdout).toContain("--json");
  });

  it("takes no command at all for wrong usage", async () => {
    const { status, stderr } = await program.run();
    expect(status).toBe(2);
    expect(stderr).toContain("Usage: diskferry");
  });
});
