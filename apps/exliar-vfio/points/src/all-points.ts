import type { Point } from '@backplane/sdk'
import { command } from './commands.ts'
import { gpuHandler } from './gpu-handler.ts'
import * as hooks from './hooks.ts'
import { panel } from './panels.ts'
import { pluginEvent } from './plugin-events.ts'
import { bootService, changeService, deviceService, metricsService, systemService, vfioService } from './services.ts'

/** Every point of this host; its hooks come first, in the order of a machine's life. */
export const allPoints: readonly Point[] = [
  hooks.systemDetected,
  hooks.deviceEnumeration,
  hooks.gpuDetected,
  hooks.preVfioBind,
  hooks.postVfioBind,
  hooks.preInitramfsUpdate,
  hooks.postInitramfsUpdate,
  hooks.preBootloaderUpdate,
  hooks.postBootloaderUpdate,
  hooks.preVmStart,
  hooks.vmStarted,
  hooks.postVmShutdown,
  hooks.cleanup,
  hooks.uiEvent,
  pluginEvent,
  gpuHandler,
  command,
  panel,
  systemService,
  deviceService,
  vfioService,
  bootService,
  changeService,
  metricsService,
]
