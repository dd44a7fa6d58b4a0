/** Opens a VHD: finds the footer, checks that its copies agree, and reads the tables. */
import type { Range } from "../../bytes/range.ts";
import { Fault } from "../../fault/fault.ts";
import type { Source } from "../../source/source.ts";
import type { Finding, FormatReader, Image, ImageReport, OpenRequest, ProbeInput } from "../format.ts";
import { readBlockTable } from "./block-table.ts";
import { dynamicImage } from "./dynamic.ts";
import { DYNAMIC_HEADER_SIZE, readDynamicHeader } from "./dynamic-header.ts";
import { fixedImage } from "./fixed.ts";
import { FOOTER_SIZE, type Footer, hasCookie, readFooter, virtualSize } from "./footer.ts";
import { openParent } from "./parent.ts";

/** Which VHDs a reader takes: `vhd-fixed` means those alone whose bytes stand in guest order. */
export type ReaderName = "vhd" | "vhd-fixed";

export function vhdReader(name: ReaderName): FormatReader {
  return {
    probe: (input) => probe(name, input),
    open: (request, signal) => open(name, request, signal),
  };
}

/** Before Virtual PC 2004 the footer was a byte short. */
const OLD_FOOTER_SIZE = FOOTER_SIZE - 1;

function probe(name: ReaderName, { head, tail }: ProbeInput): "mine" | "not mine" {
  const atEnd = hasCookie(tail.subarray(-FOOTER_SIZE)) || hasCookie(tail.subarray(-OLD_FOOTER_SIZE));
  const atStart = hasCookie(head);
  const mine = name === "vhd" ? atStart || atEnd : atEnd && !(atStart && head.length > FOOTER_SIZE);
  return mine ? "mine" : "not mine";
}

async function open(name: ReaderName, request: OpenRequest, signal: AbortSignal): Promise<Image> {
  const { source } = request;
  if (request.snapshot !== undefined) {
    throw new Fault("USAGE", `${source.name}: VHD images have no internal snapshots`);
  }
  const { footer, findings } = await findFooter(source, signal);
  if (name === "vhd-fixed" && footer.type !== "fixed") {
    throw new Fault(
      "FORMAT_MISMATCH",
      `${source.name}: is a ${footer.type} VHD, not a fixed one: name the format vhd`,
    );
  }
  if (footer.saved) {
    findings.push({
      name: "saved-state",
      severity: "warning",
      message: "the machine was suspended when this image was made: its file systems may not be clean",
    });
  }
  const size = virtualSize(footer, source.name);
  const report: ImageReport = {
    format: name,
    variant: footer.type,
    virtualSize: size,
    fileSize: source.size,
    compression: "none",
    features: [`creator ${footer.creator.replace(/[^\x20-\x7e]/g, "?").trim()}`],
    snapshots: [],
    findings,
  };
  if (footer.type === "fixed") return openFixed(source, footer, report);
  return openGrowing(request, footer, report, signal);
}

function openFixed(source: Source, footer: Footer, report: ImageReport): Image {
  const stored = source.size - FOOTER_SIZE;
  if (report.virtualSize > stored) {
    throw new Fault(
      "IMAGE_TRUNCATED",
      `${source.name}: the footer says ${report.virtualSize} bytes, but only ${stored} stand before it`,
    );
  }
  if (Number(footer.currentSize) === stored) return fixedImage(source, report);
  const finding: Finding = {
    name: "size-differs",
    severity: "warning",
    message: `${stored} bytes stand before the footer, whose size field says ${footer.currentSize}`,
  };
  return fixedImage(source, { ...report, findings: [...report.findings, finding] });
}

async function openGrowing(
  { source, gate }: OpenRequest,
  footer: Footer,
  report: ImageReport,
  signal: AbortSignal,
): Promise<Image> {
  const place = `${source.name}: offset ${footer.dataOffset}`;
  const last = source.size - FOOTER_SIZE - DYNAMIC_HEADER_SIZE;
  if (footer.dataOffset < BigInt(FOOTER_SIZE) || footer.dataOffset > BigInt(last)) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${place}: the dynamic header cannot stand here (file of ${source.size} bytes)`,
    );
  }
  const bytes = new Uint8Array(DYNAMIC_HEADER_SIZE);
  const offset = Number(footer.dataOffset);
  await source.read(bytes, offset, signal);
  const header = readDynamicHeader(bytes, place);
  const metadata: Range[] = [
    { offset: 0, length: FOOTER_SIZE },
    { offset, length: DYNAMIC_HEADER_SIZE },
  ];
  const table = await readBlockTable(source, header, report.virtualSize, metadata, signal);
  const full = { ...report, unit: header.blockSize };
  if (footer.type === "dynamic") return dynamicImage({ source, report: full, table });
  const { parent, findings } = await openParent(source, gate, footer, header.parent, signal);
  return dynamicImage({
    source,
    report: {
      ...full,
      backing: { name: header.parent.name, format: "vhd" },
      findings: [...report.findings, ...findings],
    },
    table,
    parent,
  });
}

interface Found {
  readonly footer: Footer;
  readonly findings: Finding[];
}

/**
 * The footer at the end rules. The growing kinds keep a copy at offset 0 that must agree with it: where they differ,
 * the file was cut, or is two images at once.
 * @throws Fault FORMAT_MISMATCH, IMAGE_TRUNCATED, IMAGE_CORRUPT, UNSUPPORTED_FEATURE
 */
async function findFooter(source: Source, signal: AbortSignal): Promise<Found> {
  if (source.size < FOOTER_SIZE) throw notVhd(source);
  const head = new Uint8Array(FOOTER_SIZE);
  const tail = new Uint8Array(FOOTER_SIZE);
  const tailOffset = source.size - FOOTER_SIZE;
  await source.read(head, 0, signal);
  await source.read(tail, tailOffset, signal);
  const atStart = tailOffset > 0 && hasCookie(head);
  if (!hasCookie(tail)) throw missingFooter(source, tail, atStart);

  const footer = readFooter(tail, `${source.name}: offset ${tailOffset}`);
  if (footer.type === "fixed") {
    if (!atStart) return { footer, findings: [] };
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: ends like a fixed VHD and begins like a dynamic one: it can be read in two ways`,
    );
  }
  if (!atStart) {
    throw new Fault(
      "IMAGE_CORRUPT",
      `${source.name}: the copy of the footer at offset 0 is missing, which a ${footer.type} VHD must have`,
    );
  }
  const copy = readFooter(head, `${source.name}: offset 0`);
  for (const field of ["type", "dataOffset", "currentSize", "creator", "uuid"] as const) {
    if (footer[field] === copy[field]) continue;
    throw disagreement(source, field, copy[field], footer[field]);
  }
  const geometry = ({ geometry: g }: Footer) => `${g.cylinders}/${g.heads}/${g.sectors}`;
  if (geometry(footer) !== geometry(copy)) {
    throw disagreement(source, "geometry", geometry(copy), geometry(footer));
  }
  if (Buffer.from(head).equals(tail)) return { footer, findings: [] };
  const message = "the footer and its copy at offset 0 differ in fields that do not matter for reading";
  return { footer, findings: [{ name: "footers-differ", severity: "warning", message }] };
}

function disagreement(source: Source, field: string, copy: unknown, footer: unknown): Fault {
  return new Fault(
    "IMAGE_CORRUPT",
    `${source.name}: the footer says ${field} ${footer}, its copy at offset 0 says ${copy}: the image is damaged`,
  );
}

function missingFooter(source: Source, tail: Uint8Array, atStart: boolean): Fault {
  if (hasCookie(tail.subarray(-OLD_FOOTER_SIZE))) {
    return new Fault(
      "UNSUPPORTED_FEATURE",
      `${source.name}: ends in the 511-byte footer of Virtual PC before 2004, which is not supported`,
    );
  }
  if (!atStart) return notVhd(source);
  return new Fault(
    "IMAGE_TRUNCATED",
    `${source.name}: begins like a VHD, but no footer stands in the last ${FOOTER_SIZE} bytes (offset ` +
      `${source.size - FOOTER_SIZE}): the file is cut short or has bytes appended`,
  );
}

function notVhd(source: Source): Fault {
  return new Fault(
    "FORMAT_MISMATCH",
    `${source.name}: is not a VHD image: no footer ("conectix") at its end`,
  );
}
