/** The dialects: other clouds' ways to ask. One more is one folder and one line here. */
import { type AlibabaOptions, alibabaHandler } from "./alibaba/handler.ts";
import type { HttpHandler } from "./call.ts";
import type { DialectPorts } from "./dialect.ts";
import { fujitsuHandler } from "./fujitsu/handler.ts";
import { huaweiHandler } from "./huawei/handler.ts";

export interface DialectOptions {
  readonly alibaba: AlibabaOptions;
}

/** Asked in this order: the first that knows the path answers. */
export function dialects(ports: DialectPorts, options: DialectOptions): readonly HttpHandler[] {
  return [alibabaHandler(ports, options.alibaba), fujitsuHandler(ports), huaweiHandler(ports)];
}
