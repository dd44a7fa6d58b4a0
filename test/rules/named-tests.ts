/** The tests that bear the number of a rule in their names, tables expanded. None of them runs. */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createVitest, type TestModule } from "vitest/node";
import { mayHold, type NamedTest, numbersOf } from "./coverage.ts";

/** @throws when a file of tests cannot be read by Vitest */
export async function namedTests(root: string): Promise<readonly NamedTest[]> {
  const vitest = await createVitest(
    {
      root,
      config: join(root, "test/vitest.config.ts"),
      watch: false,
      reporters: [],
      isolate: false,
      maxWorkers: 1,
    },
    { logLevel: "error" },
  );
  try {
    const { testModules, unhandledErrors } = await vitest.collect(filesOf(root), { staticParse: false });
    const [unread] = [...unhandledErrors, ...testModules.flatMap((module) => module.errors())];
    if (unread !== undefined) throw new Error("the tests cannot be listed", { cause: unread });
    return testModules
      .flatMap((module) => testsIn(module, root))
      .filter(({ name }) => numbersOf(name).size > 0)
      .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  } finally {
    await vitest.close();
  }
}

/** Files without a number need no look. */
function filesOf(root: string): string[] {
  const files = globSync("test/**/*.test.ts", { cwd: root, exclude: ["test/rules/**"] });
  return files.filter((file) => mayHold(readFileSync(join(root, file), "utf8")));
}

function testsIn(module: TestModule, root: string): NamedTest[] {
  const file = relative(root, module.moduleId);
  return [...module.children.allTests()].map(({ fullName }) => ({ file, name: everywhere(fullName) }));
}

/** What a test is called on every machine: those that lack a program say so in the name. */
function everywhere(name: string): string {
  return name.replace(/ \(skipped: [^)]*\)/g, "");
}
