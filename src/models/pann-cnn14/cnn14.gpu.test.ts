import './cnn14.test';
