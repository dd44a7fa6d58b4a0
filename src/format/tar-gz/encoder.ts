/** Guest bytes to members of a gzip file; a run of zeros takes a thousandth of its length, the least that deflate can. */
import { KiB } from "../../bytes/units.ts";
import { deflaterOfUnits } from "../../codec/codec.ts";
import type { Encoding, Output, UnitEncoder } from "../format.ts";
import { denseMember, memberLength, memberOf, plainMember } from "./member.ts";

/** Decoded bytes of a member: large beside its frame of 18 bytes and its empty window, small beside a part. */
export const UNIT = 256 * KiB;
/** Units of the longer of the two members that runs of zeros are made of. */
const LONG_RUN = 64;

export function memberEncoder({ level, prologue }: Encoding): UnitEncoder {
  const deflate = deflaterOfUnits();
  const begin = (guestUnit: number, out: Output): void => {
    if (guestUnit === 0 && prologue !== undefined) out.add(prologue);
  };
  return {
    encode(bytes, guestUnit, effort, out) {
      begin(guestUnit, out);
      const member = effort === "plain" ? plainMember(bytes) : memberOf(bytes, level, deflate);
      for (const piece of member) out.add(piece);
      return memberLength(member);
    },
    encodeZeros(guestUnit, count, out) {
      begin(guestUnit, out);
      for (const member of zeroMembers(count)) out.add(member);
    },
  };
}

/** Members that decode to so many units of zeros. */
function* zeroMembers(units: number): Generator<Uint8Array> {
  if (units >= LONG_RUN) long ??= denseMember(new Uint8Array(LONG_RUN * UNIT));
  short ??= denseMember(new Uint8Array(UNIT));
  let left = units;
  for (; left >= LONG_RUN && long !== undefined; left -= LONG_RUN) yield long;
  for (; left > 0; left -= 1) yield short;
}

/** Made once in a thread. */
let short: Uint8Array | undefined;
let long: Uint8Array | undefined;
