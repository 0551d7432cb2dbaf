export { openPlugin, type OpenedPlugin, type OpenPluginOptions, type PluginLine } from './open-plugin.ts'
export { sampleGpu, samplePciDevice, sampleSystem, sampleVmConfig, sampleVmDevice, sampleVmStats } from './samples.ts'
