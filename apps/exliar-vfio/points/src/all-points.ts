import type { Point } from '@backplane/sdk'
import { command } from './commands.ts'
import { gpuHandler } from './gpu-handler.ts'
import * as hooks from './hooks.ts'
import { panel } from './panels.ts'
import { pluginEvent } from './plugin-events.ts'
import { bootService, changeService, deviceService, metricsService, systemService, vfioService } from './services.ts'

/** Every point of this host. */
export const allPoints: readonly Point[] = [
  ...Object.values(hooks),
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
