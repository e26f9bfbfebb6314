import './whole-unet.test';
