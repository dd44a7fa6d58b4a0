/** Alibaba ECS: the actions that exports, imports and copies are followed and ended with, and what all actions share. */
import { rulesOf, type Source } from "./rule.ts";

export const NEIGHBOURS: Source = {
  title: "Alibaba: the actions beside them",
  origin:
    "The pages of CancelTask (CT), CancelCopyImage (CC), DescribeTasks (DT), DescribeTaskAttribute (DA), DescribeImages (DI), DeleteImage (DL) and DescribeRegions (DR); the numbers are ours.",
  rules: rulesOf([
    ["CT-1", "CancelTask ends an import or an export, named by its region and task"],
    ["CT-E1", "400 MissingParameter: RegionId"],
    ["CT-E2", "400 MissingParameter: TaskId"],
    ["CT-E3", "400 InvalidRegionId.NotFound"],
    ["CT-E4", "400 InvalidTaskId.NotFound"],
    ["CT-E5", "403 InvalidTaskId.TaskActionNotSupport: the task is a copy"],
    ["CT-E6", "403 InvalidTaskId.IncorrectTaskStatus: the task has ended, or is being cancelled"],
    ["CT-E7", "403 CancelTaskFailed: the result is being published"],
    ["CC-1", "CancelCopyImage ends a copy, which is then gone; its source stays as it is"],
    ["CC-E1", "404 InvalidRegionId.NotFound"],
    ["CC-E2", "404 InvalidImageId.NotFound: not in the region that the copy goes to"],
    ["CC-E3", "400 ImageCreatedNotFromCopy"],
    ["CC-E4", "400 IncorrectImageStatus: the copy was finished before"],
    ["CC-E5", "400 IncorrectImageStatus: the copy was completed while it was being cancelled"],
    ["CC-E6", "400 IncorrectImageStatus: the image is not being copied"],
    [
      "CC-E7",
      "400 IncorrectImageStatus: the snapshot is not being copied",
      { unmet: "The disks of an image are copied by one task, with the image: CC-E6 says it of the image." },
    ],
    ["CC-E8", "400 IncorrectImageStatus: the copy has failed"],
    ["CC-E9", "400 CancelNotSupported: it is too late, or it is being cancelled"],
    [
      "CC-E10",
      "400 InvalidDescription.Malformed",
      {
        unmet:
          "The action has no parameter that is a description; the page lists the code without saying what meets it.",
      },
    ],
    ["CC-E11", "500 InternalError: a defect"],
    ["DT-1", "DescribeTasks lists the tasks of a region, with action, status, times and resource"],
    ["DT-2", "Pages of 10, and at most 100"],
    ["DT-3", "TaskIds, TaskAction, TaskStatus, StartTime, EndTime and ResourceIds choose among them"],
    ["DT-4", "At most 100 TaskIds and ResourceIds, and times as ISO 8601"],
    ["DA-1", "DescribeTaskAttribute tells progress, disk by disk, with bucket, object and format"],
    ["DA-2", "A success is told"],
    ["DA-3", "A failure is told with code and message"],
    ["DA-4", "An object is called prefix, image and task, and by its disk where there are several"],
    ["DI-1", "DescribeImages shows what is available, or in the statuses that are asked for"],
    ["DI-2", "How far a copy is, and how long it will take"],
    ["DI-3", "Where an import came from, and the sizes of its disks"],
    ["DI-4", "Images are chosen by id, name, tag, group, snapshot and more, in pages"],
    ["DL-1", "DeleteImage takes an image away; one that is not there is as good as deleted"],
    ["DL-2", "Force takes away what is shared"],
    [
      "DL-E1",
      "403 ImageUsingByInstance",
      { unmet: "There are no instances here: nothing that could use an image." },
    ],
    ["DL-E2", "403 ImageUseShared"],
    ["DL-E3", "403 OperationDenied.ImageCopying"],
    ["DL-E4", "403 ImageIsImporting"],
    ["DL-E5", "403 ImageIsExporting"],
    ["DL-E6", "404 InvalidImageId.NotFound: the image of another account"],
    ["DR-1", "DescribeRegions lists regions with endpoint, name and status"],
    ["DR-E1", "403 Unauthorized.EmptyRegion: there is none for the caller"],
    ["DR-E2", "404 InvalidAcceptLanguage.NotFound"],
    ["DR-E3", "404 InvalidResourceType.NotFound"],
  ]),
};

export const COMMON: Source = {
  title: "Alibaba: what all actions share",
  origin:
    "The pages about answers, signatures and client tokens, and the list of common error codes; the numbers are ours.",
  rules: rulesOf([
    ["WR-1", "Answers are XML below the name of the action, unless JSON is asked for"],
    ["WR-2", "A refusal names request, host, code and message"],
    ["WR-3", "A client token gives the first answer again, and remembers no refusal"],
    ["WR-4", "Signature V1: HMAC-SHA1 over all parameters"],
    ["WR-5", "Signature V3: ACS3-HMAC-SHA256 over query, headers and body"],
    ["WR-E1", "400 IdempotentParameterMismatch: a client token with another request"],
    ["WR-E2", "400 IllegalTimestamp"],
    ["WR-E3", "400 IncompleteSignature"],
    ["WR-E4", "400 InvalidAccessKeyId.NotFound"],
    ["WR-E5", "400 SignatureNonceUsed"],
    ["WR-E6", "400 Throttling, with x-acs-retry-after where a moment is known"],
    [
      "WR-E7",
      "400 UnsupportedParameter",
      {
        unmet: "What an action has no use for counts for nothing, and whatever it has a use for it honours.",
      },
    ],
    ["WR-E8", "400 InvalidParameter"],
    ["WR-E9", "403 InvalidAction"],
    ["WR-E10", "403 Forbidden.RAM: the access key may not do this"],
    ["WR-E11", "403 Forbidden.AccessKeyDisabled"],
    [
      "WR-E12",
      "403 InvalidIdempotenceParameter.Mismatch",
      { unmet: "It is an older name of WR-E1, which is what a client token with another request meets." },
    ],
    [
      "WR-E13",
      "403 LastTokenProcessing: the first request with the token has no answer yet",
      {
        unmet:
          "Requests with one token that come at once are decided in one transaction: all get the first one's answer (WR-3).",
      },
    ],
    ["WR-E14", "403 UnsupportedHTTPMethod"],
    ["WR-E15", "409 OperationConflict: another request was first"],
    ["WR-E16", "503 ServiceUnavailable"],
  ]),
};
