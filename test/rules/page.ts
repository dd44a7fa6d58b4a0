/** The list of all rules and their tests, as docs/rules.md shows it. */
import type { Coverage, NamedTest } from "./coverage.ts";
import type { Rule, Source } from "./rule.ts";

const HEAD = `# Rules, and the tests that hold them

Written by \`npm run rules\`, which takes the rules from \`test/rules/\` and the tests from what bears their numbers in its
name. \`test/rules/rules.test.ts\` holds it to be whole: no rule without a test that asks over the wire, no number in a
test without a rule.`;

export function pageOf(sources: readonly Source[], { tests }: Coverage): string {
  const limited = sources.flatMap(({ rules }) => rules).filter(isLimited);
  return [
    HEAD,
    countsOf(sources, tests),
    ...sources.map((source) => sectionOf(source, tests)),
    "## Not made real, and why",
    `${limited.map((rule) => `- **${rule.id}** ${rule.says}. ${rule.unmet ?? rule.partly}`).join("\n")}\n`,
  ].join("\n\n");
}

function isLimited({ unmet, partly }: Rule): boolean {
  return unmet !== undefined || partly !== undefined;
}

function countsOf(sources: readonly Source[], tests: Coverage["tests"]): string {
  const rows = sources.map(({ title, rules }) => {
    const held = rules.filter(({ id }) => (tests.get(id)?.length ?? 0) > 0).length;
    return `| ${title} | ${rules.length} | ${held} | ${rules.filter(isLimited).length} |`;
  });
  return ["| | Rules | Held by tests | Not made real, or in part |", "|---|---|---|---|", ...rows].join("\n");
}

function sectionOf({ title, origin, rules }: Source, tests: Coverage["tests"]): string {
  return [`## ${title}`, origin, ...rules.map((rule) => ruleOf(rule, tests.get(rule.id) ?? []))].join("\n\n");
}

/** A rule, and below it its tests, file by file. */
function ruleOf({ id, says }: Rule, tests: readonly NamedTest[]): string {
  const lines = [...Map.groupBy(tests, ({ file }) => file)].flatMap(([file, inFile]) => [
    `- \`${file}\``,
    ...inFile.map(({ name }) => `  - ${plain(name)}`),
  ]);
  const rule = `**${id}** ${says}.`;
  return lines.length === 0 ? rule : `${rule}\n\n${lines.join("\n")}`;
}

/** Names hold what Markdown would take for its own. */
function plain(name: string): string {
  return name.replace(/[\\`*_[\]<>|]/g, "\\$&").replace(/\n/g, " ");
}
