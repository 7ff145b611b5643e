"""Taking a network home: one readable Python file that needs torch alone, weights, ``torch.export`` and ONNX."""
