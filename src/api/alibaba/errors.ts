/**
 * Every error of this dialect: HTTP status, code and message, as the documents print them, slips included. The keys are
 * the numbers of the rules; those that are not numbered have words. `%s` stands for what the error is about.
 */
type Row = readonly [status: number, code: string, message: string];

const NOT_SUPPLIED = (name: string) =>
  `An input parameter ${name} that is mandatory for processing the request is not supplied.`;

export const ERRORS = {
  // every action
  "invalid-action": [403, "InvalidAction", "The specified action is not valid."],
  "invalid-version": [400, "InvalidParameter", 'The specified parameter "Version" is not valid.'],
  "invalid-parameter": [400, "InvalidParameter", 'The specified parameter "%s" is not valid.'],
  "missing-parameter": [400, "MissingParameter", NOT_SUPPLIED('"%s"')],
  "unsupported-method": [403, "UnsupportedHTTPMethod", "The HTTP method is not supported."],
  "signature-incomplete": [
    400,
    "IncompleteSignature",
    "The request signature does not conform to Aliyun standards.",
  ],
  "signature-wrong": [
    400,
    "SignatureDoesNotMatch",
    "The specified signature is not matched with our calculation.",
  ],
  "nonce-used": [400, "SignatureNonceUsed", "The request signature nonce has been used."],
  timestamp: [400, "IllegalTimestamp", NOT_SUPPLIED('"Timestamp"').replace("the request", "this request")],
  "key-unknown": [400, "InvalidAccessKeyId.NotFound", "The specified Access Key ID does not exist."],
  "key-disabled": [403, "Forbidden.AccessKeyDisabled", "The Access Key is disabled."],
  "key-actions": [403, "Forbidden.RAM", "User not authorized to operate on the specified resource."],
  throttled: [400, "Throttling", "Request was denied due to request throttling."],
  unavailable: [
    503,
    "ServiceUnavailable",
    "The request has failed due to a temporary failure of the server.",
  ],
  refused: [400, "InvalidParameter", "The request is not valid."],
  denied: [403, "OperationDenied", "The operation is denied."],
  "too-large": [400, "InvalidParameter", "The request is too large."],
  "dry-run": [400, "DryRunOperation", "Request validation has been passed with DryRun flag set."],
  "token-mismatch": [400, "IdempotentParameterMismatch", "The request is retried with updated parameters."],
  conflict: [
    409,
    "OperationConflict",
    "Request was denied due to conflict with a previous request, please try again later.",
  ],
  "region-unknown": [404, "InvalidRegionId.NotFound", "The specified RegionId does not exist."],

  // ExportImage
  "EX-E1": [400, "Forbidden", "User is not authorized to operate on the specified image."],
  "EX-E2": [400, "IncorrectImageStatus", "The image is not available."],
  "EX-E3": [400, "MissingParameter", NOT_SUPPLIED("RegionId")],
  "EX-E4": [400, "MissingParameter", NOT_SUPPLIED("ImageId")],
  "EX-E5": [400, "MissingParameter", NOT_SUPPLIED("OssBucket")],
  "EX-E6": [400, "OssBucket.NotFound", "The specified OssBucket does not exist."],
  "EX-E7": [400, "OssPrefix.Malformed", "The specified OssPrefix format is incorrect."],
  "EX-E8": [400, "RegionId.NotFound", "The specified RegionId does not exist."],
  "EX-E9": [403, "ExportImageFailed", "Failed to export image."],
  "EX-E10": [403, "ImageId.NotFound", "The image does not exist."],
  "EX-E11": [
    403,
    "ImageNotSupported",
    "The specified image is from the image market and does not support export.",
  ],
  "EX-E12": [
    403,
    "InvalidRegion.NotSupport",
    "The specified region does not support image import or export.",
  ],
  "EX-E13": [403, "OperationDenied.ImageExporting", "The specified image is being exported."],
  // Without a number there, as they are called in 2021.
  "EX-9": [
    400,
    "InvalidImage.DiskAmountOrSize",
    "The specified image has too many data disks, or one that is too large.",
  ],
  "EX-12": [
    403,
    "NoSetRoletoECSServiceAcount",
    "ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account.",
  ],
  "export-encrypted": [
    400,
    "ImageNotSupported",
    "The specified Image contains encrypted snapshots, do not support export.",
  ],
  "export-format": [400, "InvalidImageFormat.Malformed", "The specified Image Format is not valid."],
  "export-quota": [403, "ConcurrentQuotaExceed.ExportImage", "The exports at once exceed the limit."],
  "export-weekly": [403, "WeeklyQuotaExceed.ExportImage", "The exports of a week exceed the limit."],

  // ImportImage
  "IM-E1": [400, "Forbbiden", "User not authorized to operate on the specified resource"],
  "IM-E2": [400, "IncorrectImageStatus", "The specified image is not available."],
  "IM-E3": [400, "InvalidArchitecture.Malformed", "The specified Architecture is wrongly formed."],
  "IM-E4": [
    400,
    "InvalidDescription.Malformed",
    "The specified destination image description is wrongly formed.",
  ],
  "IM-E5": [400, "InvalidFormat.Malformed", "The specified Image format is wrongly formed."],
  "IM-E6": [400, "InvalidImageName.Duplicated", "The destination image is exist."],
  "IM-E7": [400, "InvalidImageName.Malformed", "The specified destination Image name is wrongly formed."],
  "IM-E8": [
    400,
    "InvalidImageSize",
    'The specified "DiskDeviceMapping.n.DiskImageSize" should be not less than system device size.',
  ],
  "IM-E9": [400, "InvalidOSType.Malformed", "The specified OSType is wrongly formed."],
  "IM-E10": [400, "InvalidPlatform.Malformed", "The specified Platform is wrongly formed."],
  "IM-E11": [400, "MissingParameter", NOT_SUPPLIED('"RegionId"')],
  "IM-E12": [400, "MissingParameter", NOT_SUPPLIED('"DiskDeviceMapping.%s.OSSBucket"')],
  "IM-E13": [400, "MissingParameter", NOT_SUPPLIED('"DiskDeviceMapping.%s.OSSObject"')],
  "IM-E14": [400, "RegionId.NotFound", "The specified region is not found."],
  "IM-E15": [403, "ImageIsImporting", "The specified Image is importing."],
  "IM-E16": [
    403,
    "InvalidRegion.NotSupport",
    "The specified region does not support image import or export.",
  ],
  "IM-E17": [403, "QuotaExceed.Image", "The Image Quota exceeds."],
  "IM-E18": [403, "QuotaExceed.Snapshot", "The maximum number of snapshots is exceeded."],
  // Without a number there, as they are called in 2021.
  "import-bucket": [400, "InvalidOSSBucket.NotFound", "The specified OSSBucket does not exist."],
  "IM-14": [400, "InvalidOSSBucket.NotMatched", "The specified OSSBucket is not in the specified region."],
  "import-key": [400, "InvalidOSSObject.Malformed", "The specified OSSObject is wrongly formed."],
  "IM-13": [400, "InvalidOSSObject.NotFound", "The specified OSSObject does not exist."],
  "import-failed": [403, "ImportImageFailed", "Failed to import image."],

  // CopyImage
  "CP-E1": [400, "InvalidDescription.Malformed", "The specified destination description is wrongly formed."],
  "CP-E2": [400, "SourceRegion.NotFound", "The source region not found."],
  "CP-E3": [400, "DestinationRegion.NotFound", "The destination region not found."],
  "CP-E4": [400, "IncorrectImageStatus", "The image not available."],
  "CP-E5": [400, "InvalidSnapshotId.NotFound", "The specified SnapshotId does not exist."],
  "CP-E6": [
    400,
    "InvalidImageName.Duplicated",
    "The specified image name is already in use in the target region. Please try a different one.",
  ],
  "CP-E7": [
    400,
    "InvalidParameter.EncryptedIllegal",
    "The specified parameter Encrypted must be true when kmsKeyId is not empty.",
  ],
  "CP-E8": [
    400,
    "InvalidEncrypted.NotMatchEncryptAlgorithm",
    "The specified parameter Encrypted must be true when EncryptAlgorithm is not empty.",
  ],
  "CP-E9": [400, "InvalidEncryptAlgorithm", "The specified parameter EncryptAlgorithm is not valid."],
  "CP-E10": [
    400,
    "InvalidEncrypted.NotMatchKmsKeyId",
    "The specified parameter Encrypted must be true when KmsKeyId is not empty.",
  ],
  "CP-E11": [400, "OperationDenied.CommunityImage", "Community image does not support copy."],
  "CP-E12": [400, "InvalidImageName.Malformed", "The specified destination image name is wrongly formed."],
  "CP-E13": [400, "InvalidParameter.KmsNotEnabled", "The specified operation need enable KMS."],
  "CP-E14": [
    400,
    "OperationDenied.ImageCopyConflict",
    "The same image cannot be copied concurrently. Please wait until the last copy is completed before performing the next operation.",
  ],
  "CP-E15": [400, "Account.Arrearage", "Your account has an outstanding payment."],
  "CP-E16": [400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."],
  "CP-E17": [401, "InvalidAliUid.IsNull", "The aliUid must not be null."],
  "CP-E18": [
    500,
    "InternalError",
    "The request processing has failed due to some unknown error, exception or failure.",
  ],
  "CP-E19": [403, "Forbbiden", "User not authorized to operate on the specified resource."],
  "CP-E20": [
    403,
    "InvalidOperation.CopyingDataFromThisRegionUnsupported",
    "Data transfer from the current region to other regions is not supported.",
  ],
  "CP-E21": [
    403,
    "InvalidOperation.CopyingDataToThisRegionUnsupported",
    "Only Some Regions %s can copy data to this region.",
  ],
  "CP-E22": [403, "QuotaExceed.Image", "The number of images exceeds the limit (%s)."],
  "CP-E23": [403, "QuotaExceed.Snapshot", "The snapshot quota exceeds."],
  "CP-E24": [
    403,
    "OperationDenied.ImageCopying",
    "The image is currently being copied. Please try again later.",
  ],
  "CP-E25": [403, "RegionNotSupportCopy", "The region not support copy."],
  "CP-E26": [
    403,
    "InvalidSnapshot.TooOld",
    "This operation is denied because the specified snapshot is created before 2013-07-15.",
  ],
  "CP-E27": [403, "OperationDenied", "The specified snapshot is not allowed to create image."],
  "CP-E28": [403, "IncorrectDestinationRegion", "The destination region is not equal the target region."],
  "CP-E29": [
    403,
    "OperationDeined.EncryptedSnapshot",
    "The image contains encrypted snapshots, which do not support copying.",
  ],
  "CP-E30": [
    403,
    "OperationDenied.SameRegionOnly",
    "The image shared from others can not be copied to another region directly.",
  ],
  "CP-E31": [
    403,
    "OperationDenied.NotPublished",
    "The operation is denied because corresponding marketplace image is not published in destination region.",
  ],
  "CP-E32": [
    403,
    "OperationDenied.NotAuthorized",
    "The operation is denied because corresponding marketplace image is not authorized to current user.",
  ],
  "CP-E33": [
    403,
    "OperationDenied.EncryptSnapshotAcrossRegion",
    "The image do not contain encrypted snapshots, which do not support copying to encrypted ones.",
  ],
  "CP-E34": [
    403,
    "InvalidParameter.KMSKeyId.KMSUnauthorized",
    "ECS service have no right to access your KMS.",
  ],
  "CP-E35": [403, "InvalidRegion.NotSupport", "The specified region does not support byok."],
  "CP-E36": [403, "UserNotInTheWhiteList", "The user is not in byok white list."],
  "CP-E37": [
    403,
    "InvalidRegionId.NotSupportEncryptAlgorithm",
    "The current region does not support creating encrypted disks with EncryptAlgorithm.",
  ],
  "CP-E38": [
    403,
    "OperationDenied.KmsServiceUnauthorized",
    "The account is not authorized to kms service, please authorize it.",
  ],
  "CP-E39": [
    403,
    "OperationDenied.NonCompliantDestinationRegion",
    "The copy operation to the destination region is not in compliance with regulations.",
  ],
  "CP-E40": [
    403,
    "InvalidEncrypted.NotMatchDiskDefaultEncryption",
    "The specified parameter Encrypted not match for your account default encryption settings.",
  ],
  "CP-E41": [
    403,
    "InvalidParameter.DataEncryptedKeyCreateFailed",
    "Create kms data encrypted key fail. If you need further assistance, you can contact the KMS Technical Support.",
  ],
  "CP-E42": [
    403,
    "SizeExceed.Image",
    "The image exceeds the maximum size. You can use the CopySnapshot API to copy your snapshots of the image and then create a new image from them.",
  ],
  "CP-E43": [
    403,
    "InvalidParameter.KMSKeyId.CMKNotEnabled",
    "The CMK (Customer Master Key) must be in an active state.",
  ],
  "CP-E44": [
    403,
    "InvalidParameter.KMSKeyId.CMKUnauthorized",
    "The CMK(Customer Master Key) lacks authorization to add tags to the ECS service.",
  ],
  "CP-E45": [
    403,
    "InvalidOperation.VhdImageUnsupported",
    "The specified vhd image is not supported for this operation. Please switch to a raw image and retry.",
  ],
  "CP-E46": [
    403,
    "InvalidOperation.CloudBoxImageCopyUnsupported",
    "Copying CloudBox images is not supported.",
  ],
  "CP-E47": [404, "InvalidImageId.NotFound", "The specified ImageId does not exist."],
  "CP-E48": [404, "InvalidParameter.KMSKeyId.NotFound", "The specified KMSKeyId does not exist."],
  "CP-E49": [
    404,
    "InvalidResourceGroup.NotFound",
    "The ResourceGroup provided does not exist in our records.",
  ],
  "CP-E50": [
    409,
    "InvalidOperation.Conflict",
    "Request was denied due to conflict with a previous request, please try again later.",
  ],

  // CancelTask
  "cancel-region": [400, "InvalidRegionId.NotFound", 'The specified "RegionId" is not found.'],
  "cancel-task": [400, "InvalidTaskId.NotFound", 'The specified "TaskId" is not found.'],
  "cancel-action": [403, "InvalidTaskId.TaskActionNotSupport", "The specified task action not support."],
  "cancel-status": [403, "InvalidTaskId.IncorrectTaskStatus", "The specified task status is not invalid."],
  "cancel-failed": [
    403,
    "CancelTaskFailed",
    "The task is failed to cancel, Please contact the administrator.",
  ],

  // CancelCopyImage
  "cancel-no-copy": [
    400,
    "ImageCreatedNotFromCopy",
    "The specified image is not the target image of a copy action.",
  ],
  "cancel-copied": [400, "IncorrectImageStatus", "The image is copied finished."],
  "cancel-completed": [400, "IncorrectImageStatus", "The image has completed copy."],
  "cancel-copy-failed": [400, "IncorrectImageStatus", "The Image copy has been failed."],
  "cancel-not-copying": [400, "IncorrectImageStatus", "The specified image is not coping."],
  "cancel-too-late": [400, "CancelNotSupported", "The specified image coping can not be cancelled."],

  // DeleteImage
  "delete-shared": [403, "ImageUseShared", "The specified Image is shared with other users."],
  "delete-exporting": [
    403,
    "ImageIsExporting",
    "The specified Image is exporting. Please cancel task first.",
  ],

  // DescribeRegions
  "regions-empty": [403, "Unauthorized.EmptyRegion", "No region is available to the user."],
  "regions-language": [
    404,
    "InvalidAcceptLanguage.NotFound",
    "The AcceptLanguage provided does not exist in our records.",
  ],
  "regions-resource": [
    404,
    "InvalidResourceType.NotFound",
    "The ResourceType provided does not exist in our records.",
  ],
} as const satisfies Readonly<Record<string, Row>>;

export type Rule = keyof typeof ERRORS;

/** Under which names some errors came to be known later. */
export const LATER_NAMES: Readonly<Partial<Record<Rule, readonly [status: number, code: string]>>> = {
  "EX-E6": [400, "InvalidOSSBucket.NotFound"],
  "EX-E7": [400, "InvalidOSSPrefix.Malformed"],
  "EX-E8": [400, "InvalidRegionId.NotFound"],
  "EX-E10": [404, "InvalidImageId.NotFound"],
  "EX-E13": [403, "ImageIsExporting"],
};
