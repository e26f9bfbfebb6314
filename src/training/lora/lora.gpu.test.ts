import './lora.test';
