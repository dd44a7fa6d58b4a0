import { CEPH, CEPH_REASON, startCeph } from "../../support/ceph.ts";
import { behavesAsS3 } from "./real-server.ts";

behavesAsS3(`S3 at a Ceph gateway${CEPH_REASON}`, CEPH, startCeph);
