/** What this project has decided where the documents say nothing, or two things. */
import { rulesOf, type Source } from "./rule.ts";

export const DECISIONS: Source = {
  title: "Decisions",
  origin: "What was decided where the documents leave a choice.",
  rules: rulesOf([
    ["D1", "From 96 on a cancel is taken until the result is being published, and then refused"],
    ["D2", "0 to 10 plans, 10 to 95 are bytes, 95 to 100 publishes; 40, 70 and 95 are where cancels stop"],
    ["D3", "A copy takes a slot in its source region and in its destination, both or none"],
    ["D4", "CP-E14 is about the source, CP-E24 about the copy, CP-E50 about a lost race"],
    ["D5", "A key with Encrypted=false is CP-E7, a key with nothing said is CP-E10"],
    [
      "D6",
      "CP-E28: a peer answers for another region, or a copy within one region would decrypt",
      {
        partly:
          "A daemon serves all regions of its catalogue and asks no peer, so that none can answer for another region.",
      },
    ],
    ["D7", "Messages keep their slips, and %s is filled in"],
    ["D8", "Each state has one status in DescribeTasks, whose filter knows three"],
    ["D9", "Copies are listed by DescribeTasks, and CancelTask does not end them"],
    ["D10", "A dry run that passes is refused with 400 DryRunOperation"],
    ["D11", "A wrong signature is 400 SignatureDoesNotMatch"],
    ["D12", "The documents' own codes are the default; later names are configured"],
    ["D13", "The endpoint of the project itself is Connect, with gRPC and gRPC-Web on the same port"],
  ]),
};
