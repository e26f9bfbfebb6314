import './unet-2d-condition-model.test';
