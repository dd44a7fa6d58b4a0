import { SWIFT, SWIFT_REASON } from "../support/swift.ts";
import { ADOPTED } from "./campaign.ts";
import { survivesKills } from "./survives-kills.ts";
import { swiftStore } from "./swift-store.ts";

survivesKills(`Swift, killed${SWIFT_REASON}`, SWIFT, swiftStore, {
  shapes: [ADOPTED],
  windows: [
    [
      { phase: "asked", kind: "look", nth: 1 },
      { phase: "done", kind: "part", nth: 1 },
      { phase: "done", kind: "zeros", nth: 1 },
      { phase: "asked", kind: "complete", nth: 1 },
      { phase: "done", kind: "complete", nth: 1 },
    ],
    [{ phase: "told", kind: "complete", nth: 1 }],
  ],
  middle: { phase: "told", kind: "part", nth: 4 },
  published: { phase: "done", kind: "complete", nth: 1 },
  reading: { phase: "asked", kind: "read", nth: 2 },
});
