/** The parent of a differencing disk: opened through the gate, and checked to be the one that is meant. */
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { Finding, Image, ReferenceGate } from "../format.ts";
import type { ParentReference } from "./dynamic-header.ts";
import { FOOTER_SIZE, type Footer, hasCookie, readFooter } from "./footer.ts";

/**
 * @throws Fault REFERENCE_NOT_LISTED by the gate; FORMAT_MISMATCH when the listed file is not the parent;
 * IMAGE_CORRUPT when the image names itself.
 */
export async function openParent(
  source: Source,
  gate: ReferenceGate,
  footer: Footer,
  reference: ParentReference,
  signal: AbortSignal,
): Promise<{ readonly parent: Image; readonly findings: readonly Finding[] }> {
  if (reference.uuid === footer.uuid) {
    throw new Fault("IMAGE_CORRUPT", `${source.name}: names itself as its parent (id ${footer.uuid})`);
  }
  const { name } = reference;
  const parent = await gate.backing({ from: source.name, role: "parent", name, format: "vhd" }, signal);
  const [file] = parent.sources;
  // The gate lets an image without a file stand in for a parent that is not to be opened.
  if (file === undefined) return { parent, findings: [] };
  try {
    const own = await footerOf(file, parent.format, signal);
    if (own.uuid !== reference.uuid) {
      throw new Fault(
        "FORMAT_MISMATCH",
        `${source.name}: its parent "${name}" has the id ${reference.uuid}, but the file listed for it has ` +
          `${own.uuid}: list the right file`,
      );
    }
    const changed: Finding = {
      name: "parent-timestamp",
      severity: "info",
      message: `the parent's timestamp is ${own.timestamp}, not ${reference.timestamp} as the image says: it may have changed since`,
    };
    return { parent, findings: own.timestamp === reference.timestamp ? [] : [changed] };
  } catch (error) {
    await parent[Symbol.asyncDispose]();
    throw error;
  }
}

async function footerOf(file: Source, format: Image["format"], signal: AbortSignal): Promise<Footer> {
  if (format !== "vhd" && format !== "vhd-fixed") {
    throw new Fault(
      "FORMAT_MISMATCH",
      `${file.name}: is ${format}, but the parent of a differencing VHD is a VHD`,
    );
  }
  const bytes = new Uint8Array(FOOTER_SIZE);
  const offset = file.size - FOOTER_SIZE;
  await file.read(bytes, offset, signal);
  const place = `${file.name}: offset ${offset}`;
  if (!hasCookie(bytes)) throw new Fault("SOURCE_CHANGED", `${place}: the footer is gone`);
  return readFooter(bytes, place);
}
