/** diskferry verify: whether two images hold the same disk. */
import type { Command } from "commander";
import type { CliContext } from "./context.ts";
import { addLogOptions, type LogOptions, withLog } from "./log.ts";
import { createReporter } from "./reporter.ts";

interface VerifyOptions extends LogOptions {
  readonly formatA?: string;
  readonly formatB?: string;
  readonly allowAmplification?: true;
  readonly json?: true;
  readonly config?: string;
}

/** Exit status when the disks differ: the comparison itself has worked. */
const DIFFERENT = 1;

export function addVerify(program: Command, context: CliContext): void {
  const command = program
    .command("verify")
    .summary("compare the guest contents of two images")
    .description(
      "Compares what a guest would read from two images, whatever their formats and places. Where one disk ends " +
        "before the other, zeros are taken to follow. Exit status 0: equal, 1: different.",
    )
    .argument("<a>", "one image: a path or URL")
    .argument("<b>", "the other")
    .option("--format-a <format>", "format of the first; content that contradicts it is refused")
    .option("--format-b <format>", "format of the second")
    .option("--allow-amplification", "read images that expand far beyond what they store")
    .option("--json", "JSON lines")
    .option("--config <file>", "configuration file");
  addLogOptions(command).action(async (a: string, b: string, options: VerifyOptions) => {
    const reporter = await createReporter(context, options.json ?? false);
    const request = { command: "verify", a, b, options };
    try {
      await withLog(context, options, request, async () => {
        await using engine = await context.engine(options);
        const { verify } = await import("../engine/verify.ts");
        const image = (location: string, format: string | undefined) => ({
          location,
          backing: [],
          allowAmplification: options.allowAmplification ?? false,
          ...(format === undefined ? {} : { format }),
        });
        const result = await verify(
          image(a, options.formatA),
          image(b, options.formatB),
          engine,
          (sample) =>
            reporter.progress(() => {
              const { read, total } = sample();
              return { read, encoded: 0, sent: 0, committed: read, total };
            }),
          context.signal,
        );
        if (result.equal) {
          reporter.done({ equal: true, guestDigest: result.guestDigest }, [
            `equal       ${result.guestDigest}`,
          ]);
        } else {
          reporter.done({ equal: false, firstDifference: result.firstDifference }, [
            `different   first at guest offset ${result.firstDifference}`,
          ]);
          process.exitCode = DIFFERENT;
        }
        return result;
      });
    } finally {
      reporter.stop();
    }
  });
}
