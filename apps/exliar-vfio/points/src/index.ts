export { allPoints } from './all-points.ts'
export { command, CommandOutput } from './commands.ts'
export { Bdf, GpuCapabilities, GpuDevice, GpuVendor, GpuVerdict, PciDevice } from './devices.ts'
export { gpuHandler, QuirkSetting, Readiness } from './gpu-handler.ts'
export {
  cleanup,
  deviceEnumeration,
  gpuDetected,
  postBootloaderUpdate,
  postInitramfsUpdate,
  postVfioBind,
  postVmShutdown,
  preBootloaderUpdate,
  preInitramfsUpdate,
  preVfioBind,
  preVmStart,
  systemDetected,
  uiEvent,
  vmStarted,
} from './hooks.ts'
export { panel, PanelContent, PanelItem, UiEvent } from './panels.ts'
export { permissions } from './permissions.ts'
export { defineEvent, gpuOptimization, PluginEvent, pluginEvent, type EventKind } from './plugin-events.ts'
export {
  bootService,
  changeService,
  deviceService,
  metricsService,
  MetricsSample,
  RecordedChange,
  systemService,
  vfioService,
} from './services.ts'
export {
  Bootloader,
  BootloaderConfig,
  Distribution,
  InitramfsConfig,
  InitramfsSystem,
  IommuState,
  KernelVersion,
  SystemInfo,
} from './system-info.ts'
export { VmConfig, VmDevice, VmStats, withHypervisorHidden, withKvmHidden, withVendorId } from './virtual-machine.ts'
