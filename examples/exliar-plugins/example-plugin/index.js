class ExamplePlugin {
  on_load(context) {
    context.logger().info('Example plugin loaded!')
  }

  on_system_detected(context, system) {
    context.logger().info(`System detected: ${system.distribution?.name ?? 'unknown'}`)
  }

  on_gpu_detected(context, gpu) {
    context.logger().info(`GPU detected: ${gpu.model_name} (${gpu.vendor})`)
  }
}

export function createPlugin() {
  return new ExamplePlugin()
}
