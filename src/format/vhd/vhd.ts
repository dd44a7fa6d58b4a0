/**
 * VHD, the format of Virtual PC, Hyper-V and Azure.
 * Sources: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0, 2006; QEMU's driver, where the
 * specification is silent.
 */
import type { ReadableFormat } from "../format.ts";
import { blockEncoder, dynamicLayout, fixedLayout } from "./layout.ts";
import { vhdReader } from "./reader.ts";

/** Reads every VHD; writes dynamic ones. */
export const vhd: ReadableFormat = {
  name: "vhd",
  summary: "Virtual PC and Hyper-V disks; reads fixed, dynamic and differencing ones, writes dynamic ones",
  reader: vhdReader("vhd"),
  writer: { layout: dynamicLayout, encoder: blockEncoder },
};

/** Guest bytes in guest order, with a footer behind them. */
export const vhdFixed: ReadableFormat = {
  name: "vhd-fixed",
  summary: "VHD whose bytes stand in guest order, as Azure takes them (there, round up to 1M)",
  reader: vhdReader("vhd-fixed"),
  writer: { layout: fixedLayout },
};
