/** DeleteImage: an image of one's own. One that is not there is as good as deleted. */
import { Fault } from "../../fault/fault.ts";
import type { Action } from "./asked.ts";
import { required } from "./words.ts";

export const deleteImage: Action = {
  name: "DeleteImage",
  refusals: {
    reasons: {
      // CP-15, IM-15.
      "image-being-copied": "CP-E24",
      "copy-unfinished": "CP-E24",
      "import-unfinished": "IM-E15",
      "export-unfinished": "delete-exporting",
      "image-in-use": "delete-shared",
      "not-owner": "CP-E47",
    },
  },
  async answer({ service, caller, parameters }) {
    const region = required(parameters, "RegionId");
    const image = required(parameters, "ImageId");
    const shared = parameters.flag("Force") === true ? "allow" : "refuse";
    await service.regions.get(caller, region);
    await service.deleteImage(caller, { image, region, shared }).catch((error: unknown) => {
      if (error instanceof Fault && error.details["reason"] === "image-not-found") return;
      throw error;
    });
    return {};
  },
};
