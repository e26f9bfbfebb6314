export function vulkanEnvironment(): Record<string, string>;
