/** DescribeRegions: the regions that this endpoint answers for. */
import type { Region } from "../../catalog/region.ts";
import type { Action } from "./asked.ts";
import { refused } from "./refused.ts";

const LANGUAGES = ["zh-CN", "en-US", "ja", "zh", "en"];
const RESOURCES = ["instance", "disk", "reservedInstance", "scu"];

export const describeRegions: Action = {
  name: "DescribeRegions",
  refusals: { reasons: {} },
  async answer({ service, caller, parameters, host }) {
    const [language, resource] = [parameters.text("AcceptLanguage"), parameters.text("ResourceType")];
    if (language !== undefined && !LANGUAGES.includes(language)) throw refused("regions-language");
    if (resource !== undefined && !RESOURCES.includes(resource)) throw refused("regions-resource");
    const regions: Region[] = [];
    for (let after: string | undefined; ; ) {
      const page = await service.regions.list(caller, after === undefined ? {} : { after });
      regions.push(...page.entries.map(({ entry }) => entry).filter(({ status }) => status !== "closed"));
      after = page.next;
      if (after === undefined) break;
    }
    if (regions.length === 0) throw refused("regions-empty");
    return {
      Regions: {
        Region: regions.map(({ id, localName, status, peerUrl }) => ({
          RegionId: id,
          RegionEndpoint: peerUrl === undefined ? host : new URL(peerUrl).host,
          LocalName: localName,
          Status: status === "sold-out" ? "soldOut" : "available",
        })),
      },
    };
  },
};
