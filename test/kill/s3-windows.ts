import type { Chains } from "./survives-kills.ts";

export const S3_CHAINS: Chains = {
  windows: [
    [
      { phase: "asked", kind: "look", nth: 1 },
      { phase: "done", kind: "begin", nth: 1 },
      { phase: "done", kind: "zeros", nth: 1 },
      { phase: "done", kind: "zeros-begin", nth: 1 },
      { phase: "done", kind: "zeros-copy", nth: 1 },
      { phase: "done", kind: "zeros-complete", nth: 1 },
      { phase: "done", kind: "copy", nth: 1 },
    ],
    [
      { phase: "told", kind: "begin", nth: 1 },
      { phase: "done", kind: "part", nth: 1 },
      { phase: "asked", kind: "complete", nth: 1 },
      { phase: "done", kind: "complete", nth: 1 },
    ],
    [
      { phase: "told", kind: "complete", nth: 1 },
      { phase: "told", kind: "remove", nth: 1 },
    ],
  ],
  middle: { phase: "told", kind: "part", nth: 2 },
  published: { phase: "done", kind: "complete", nth: 1 },
  reading: { phase: "asked", kind: "read", nth: 2 },
};
