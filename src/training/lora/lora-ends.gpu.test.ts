import './lora-ends.test';
