export { dockerRegistry, passwordAuth, registryAccount, type DockerRegistry } from './docker-registry.ts'
export { compiledCode } from './compiled-code.ts'
export { fakeClock, type FakeClock } from './fake-clock.ts'
export { inlineRuntime, type InlineRuntime, type InlineRuntimeOptions } from './inline-runtime.ts'
export { inlineSource, type InlinePlugin, type InlineSource, type InlineSourceOptions } from './inline-source.ts'
export { requireLibvirt, startPrivateLibvirt, type PrivateLibvirt, type PrivateLibvirtOptions } from './private-libvirt.ts'
export { isInstalled, requireProgram } from './require-program.ts'
export { RecordingHost, type RecordedCall } from './recording-host.ts'
export { runtimeContract } from './runtime-contract.ts'
export {
  context,
  filesAt,
  rejection,
  RuntimeSubject,
  type MakeRuntime,
  type StartOptions,
  type SubjectPlugin,
} from './runtime-subject.ts'
export { sourceContract, type SourceRequest } from './source-contract.ts'
export { storeContract } from './store-contract.ts'
export { temporaryDirectory } from './temporary-directory.ts'
export { testLimits } from './test-limits.ts'
export { testKernel, type TestKernel, type TestKernelOptions } from './test-kernel.ts'
