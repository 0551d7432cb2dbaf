export { ExportItem, ExportOptions, ExportRequest, ExportResult } from './export.ts'
export { afterExport, beforeExport, ExportPlan, provider, type ExportOutcome } from './points.ts'
export { DiskFormat, ExportCapabilities, ProviderConfig, ProviderMetadata } from './provider-config.ts'
export { Snapshot, VmFilter, VmInfo, VmQuery, VmReference } from './virtual-machine.ts'
