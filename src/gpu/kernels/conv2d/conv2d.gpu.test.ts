import './conv2d.test';
