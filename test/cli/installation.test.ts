import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import type { CliContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/program.ts";

/** Runs a command line of a package that wants this Node. */
async function runOn(node: string, ...args: readonly string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const nothing = () => Promise.reject(new Error("no command runs here"));
  const status = await run(
    {
      stdin: process.stdin,
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
      signal: new AbortController().signal,
      installation: { directory: "", version: "1.2.3", node },
      onHangup: () => {},
      engine: nothing,
      daemon: nothing,
      checkDaemon: nothing,
      access: nothing,
    } satisfies CliContext,
    args,
  );
  stdout.end();
  stderr.end();
  return { status, stdout: await text(stdout), stderr: await text(stderr) };
}

it("a Node that is too old is told before any command is loaded, in one line", async () => {
  const message = `this is Node ${process.versions.node}, and diskferry runs on 999.1 or later: install a newer Node`;
  expect(await runOn("999.1", "transfer", "a", "b")).toEqual({
    status: 1,
    stdout: "",
    stderr: `diskferry: ${message} [PRECONDITION]\n`,
  });
  const { stdout, ...rest } = await runOn("999.1", "transfer", "a", "b", "--json");
  expect(rest).toEqual({ status: 1, stderr: "" });
  expect(JSON.parse(stdout)).toEqual({ event: "error", code: "PRECONDITION", message });
});

it("the very Node that is wanted is good enough", async () => {
  expect(await runOn(process.versions.node, "--version")).toEqual({
    status: 0,
    stdout: "1.2.3\n",
    stderr: "",
  });
});
