/** Tells formats apart by their marks, and opens an image as what it is declared, or recognised, to be. */
import { Fault } from "../fault/fault.ts";
import type { Source } from "../source/source.ts";
import type { Format, Image, OpenRequest, ProbeInput } from "./format.ts";
import { FORMATS, readerOf } from "./registry.ts";

const HEAD = 64 * 1024;
const TAIL = 4 * 1024;

/** The first and last bytes of a source. */
export async function probeInput(source: Source, signal: AbortSignal): Promise<ProbeInput> {
  const head = new Uint8Array(Math.min(HEAD, source.size));
  const tail = new Uint8Array(Math.min(TAIL, source.size));
  await source.read(head, 0, signal);
  await source.read(tail, source.size - tail.length, signal);
  return { head, tail, size: source.size };
}

/** Formats that are recognised in order to be refused by name, not taken for broken raw images. */
const FOREIGN: readonly { readonly name: string; readonly at: number; readonly mark: string }[] = [
  { name: "VMDK", at: 0, mark: "KDMV" },
  { name: "VMDK (COWD)", at: 0, mark: "COWD" },
  { name: "VMDK descriptor", at: 0, mark: "# Disk DescriptorFile" },
  { name: "VHDX", at: 0, mark: "vhdxfile" },
  { name: "QED", at: 0, mark: "QED\0" },
  { name: "LUKS-encrypted", at: 0, mark: "LUKS\xba\xbe" },
  { name: "VDI", at: 0x40, mark: "\x7f\x10\xda\xbe" },
  { name: "Parallels", at: 0, mark: "WithoutFreeSpace" },
  { name: "Parallels", at: 0, mark: "WithouFreSpacExt" },
  { name: "Bochs", at: 0, mark: "Bochs Virtual HD Image" },
  { name: "cloop", at: 0, mark: "#!/bin/sh\n#V2.0 Format" },
  { name: "EWF (E01)", at: 0, mark: "EVF\x09\x0d\x0a\xff\x00" },
];

/** Packed files: not disks themselves, unless the request says that they are. */
const PACKED_FILES: readonly { readonly name: string; readonly mark: string }[] = [
  { name: "gzip", mark: "\x1f\x8b\x08" },
  { name: "xz", mark: "\xfd7zXZ\0" },
  { name: "zstd", mark: "\x28\xb5\x2f\xfd" },
  { name: "bzip2", mark: "BZh" },
  { name: "zip", mark: "PK\x03\x04" },
];

function marked(bytes: Uint8Array, at: number, mark: string): boolean {
  return Buffer.from(bytes.subarray(at, at + mark.length)).toString("latin1") === mark;
}

/**
 * The format of a source.
 * @param declared what the request says; content that contradicts it is refused.
 * @throws Fault UNSUPPORTED_FORMAT (a foreign format, by name), FORMAT_MISMATCH;
 * USAGE when what is declared is written only.
 */
export async function detectFormat(
  source: Source,
  declared: Format | undefined,
  signal: AbortSignal,
): Promise<Format> {
  if (declared !== undefined) readerOf(declared);
  const input = await probeInput(source, signal);
  const foreign = FOREIGN.find(({ at, mark }) => marked(input.head, at, mark));
  if (foreign !== undefined) {
    throw new Fault(
      "UNSUPPORTED_FORMAT",
      `${source.name}: is a ${foreign.name} image, which diskferry does not read; convert it to qcow2 or raw first`,
    );
  }
  if (declared === undefined) {
    const packed = PACKED_FILES.find(({ mark }) => marked(input.head, 0, mark));
    if (packed !== undefined) {
      throw new Fault(
        "UNSUPPORTED_FORMAT",
        `${source.name}: is a ${packed.name} file, not a disk image; unpack it first, or say --source-format raw`,
      );
    }
  }
  const found = FORMATS.find(({ reader }) => reader?.probe(input) === "mine");
  if (found === undefined) throw new Fault("INTERNAL", `${source.name}: no format wants it`);
  if (declared === undefined || declared === found) return found;
  // A fixed VHD is also a VHD. Raw would say of anything that it is its own.
  if (declared.name !== "raw" && declared.reader?.probe(input) === "mine") return declared;
  if (declared.name === "raw" && found.name === "vhd" && !marked(input.head, 0, "conectix")) {
    // A footer at the end names no other file and hides nothing: as raw it is just the last sector.
    return declared;
  }
  throw new Fault(
    "FORMAT_MISMATCH",
    `${source.name}: is declared as ${declared.name}, but its content is ${found.name}; declare ${found.name} if that is meant`,
    { details: { declared: declared.name, found: found.name } },
  );
}

/** Opens an image after its format has been made sure of. */
export async function openDetected(
  request: OpenRequest,
  declared: Format | undefined,
  signal: AbortSignal,
): Promise<Image> {
  const format = await detectFormat(request.source, declared, signal);
  return readerOf(format).open(request, signal);
}
