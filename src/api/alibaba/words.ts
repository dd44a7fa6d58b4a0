/** How the words of a request are formed, and what they stand for: IM-3 to IM-8, CP-1, CP-2, CP-10, CP-12. */
import type { Image, Tag } from "../../catalog/image.ts";
import type { AccessKey } from "../access-key.ts";
import type { Asked } from "./asked.ts";
import type { Rule } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { refused } from "./refused.ts";

const MOST_TAGS = 20;

/** IM-3, CP-1. */
export function imageName(parameters: Parameters, name: string, error: Rule): string | undefined {
  const said = parameters.said(name);
  if (said === undefined) return undefined;
  const reserved = /^(aliyun|acs:)/i.test(said);
  if (!reserved && /^\p{L}[\p{L}\p{N}.:_-]{1,127}$/u.test(said)) return said;
  throw refused(error);
}

/** IM-4, CP-2. */
export function description(
  parameters: Parameters,
  name: string,
  least: number,
  error: Rule,
): string | undefined {
  const said = parameters.text(name);
  if (said === undefined) return undefined;
  const length = [...said].length;
  if (length >= least && length <= 256 && !/^https?:\/\//i.test(said)) return said;
  throw refused(error);
}

/** CP-10: `Tag.1.Key` and `Tag.1.Value` to `Tag.20.…`. */
export function tags(parameters: Parameters): readonly Tag[] {
  const numbers = parameters.numbersOf("Tag");
  const found = numbers.map((n) => {
    if (n < 1 || n > MOST_TAGS) throw refused("invalid-parameter", "Tag.N");
    const [key, value] = [parameters.said(`Tag.${n}.Key`) ?? "", parameters.said(`Tag.${n}.Value`) ?? ""];
    if (key === "" || key.length > 128 || /^(aliyun|acs:)/i.test(key) || /https?:\/\//i.test(key)) {
      throw refused("invalid-parameter", `Tag.${n}.Key`);
    }
    if (value.length > 128 || /^acs:/i.test(value) || /https?:\/\//i.test(value)) {
      throw refused("invalid-parameter", `Tag.${n}.Value`);
    }
    return { key, value };
  });
  if (new Set(found.map(({ key }) => key)).size < found.length) throw refused("CP-E16");
  return found;
}

/** CP-9: a key that is bound to some groups must name one of them. */
export function resourceGroup(parameters: Parameters, { resourceGroups }: AccessKey): string | undefined {
  const said = parameters.text("ResourceGroupId");
  if (resourceGroups === undefined) return said;
  if (said === undefined || !resourceGroups.includes(said)) throw refused("CP-E19");
  return said;
}

/** CP-12, EX-6. */
export function clientToken(parameters: Parameters): string | undefined {
  const said = parameters.said("ClientToken");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is allowed
  if (said === undefined || /^[\u0000-\u007f]{1,64}$/.test(said)) return said || undefined;
  throw refused("invalid-parameter", "ClientToken");
}

export function token({ parameters }: Pick<Asked, "parameters">, action: string) {
  const value = clientToken(parameters);
  return value === undefined ? {} : { token: { value, action } };
}

const FORMATS = ["raw", "vhd", "qcow2"];

/** IM-8: undefined when nothing is said; upper and lower case are the same. */
export function format(parameters: Parameters, name: string, error: Rule): string | undefined {
  return oneOf(FORMATS, parameters.text(name), error);
}

/** How the document writes a format of ours. */
export function formatWord(name: string): string {
  if (name.startsWith("vhd")) return "VHD";
  // 2.4: a raw disk in an archive.
  if (name === "tar.gz") return "RAW";
  return name === "qcow2" ? name : name.toUpperCase();
}

const ARCHITECTURES = ["i386", "x86_64", "arm64"];

/** IM-7, and those that came later. */
const PLATFORMS = [
  "CentOS",
  "Ubuntu",
  "SUSE",
  "OpenSUSE",
  "Debian",
  "CoreOS",
  "Aliyun",
  "Windows Server 2003",
  "Windows Server 2008",
  "Windows Server 2012",
  "Windows Server 2016",
  "Windows Server 2019",
  "Windows Server 2022",
  "Other Windows",
  "Others Linux",
  "Customized Linux",
  "Anolis",
  "FreeBSD",
  "RedHat",
  "Kylin",
  "UOS",
  "Fedora",
  "Fedora CoreOS",
  "CentOS Stream",
  "AlmaLinux",
  "Rocky Linux",
  "Gentoo",
];

/** IM-5. */
export function architecture(parameters: Parameters): string | undefined {
  return oneOf(ARCHITECTURES, parameters.text("Architecture"), "IM-E3");
}

/** IM-6. */
export function osType(parameters: Parameters): Image["osType"] | undefined {
  return oneOf(["windows", "linux"] as const, parameters.text("OSType"), "IM-E9");
}

export function platform(parameters: Parameters): string | undefined {
  return oneOf(PLATFORMS, parameters.text("Platform"), "IM-E10");
}

export function bootMode(parameters: Parameters): string | undefined {
  return oneOf(["BIOS", "UEFI"], parameters.text("BootMode"), "invalid-parameter");
}

/** Upper and lower case are the same; what is known is given back. */
function oneOf<Known extends string>(
  known: readonly Known[],
  said: string | undefined,
  error: Rule,
): Known | undefined {
  if (said === undefined) return undefined;
  const found = known.find((one) => one.toLowerCase() === said.toLowerCase());
  if (found === undefined) throw refused(error);
  return found;
}

/** What is not undefined, as an object with that one field. */
export function given<Name extends string, Given>(
  name: Name,
  value: Given | undefined,
): { readonly [key in Name]?: Given } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in Name]?: Given });
}

/** @throws `error` when the parameter is absent. */
export function required(parameters: Parameters, name: string, error: Rule = "missing-parameter"): string {
  const said = parameters.text(name);
  if (said === undefined) throw refused(error, name);
  return said;
}
