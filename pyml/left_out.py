"""What PyTorch has and pyml leaves out, and why. `docs/parity.md` and `pyml.as_torch` read it.

A name that pyml has in spite of a row is not left out: rows may be wider than they must.
"""

from typing import NamedTuple

__all__ = ["FAMILIES", "Family", "family_of"]


class Family(NamedTuple):
    """Names that are left out for one reason."""

    reason: str
    cure: str
    names: dict
    """{module of torch, or "Tensor": names}"""

    @property
    def why(self):
        """The reason and the cure, as messages have them."""
        return f"{self.reason}; {self.cure}"


FAMILIES = {
    "convolution": Family(
        "pyml is for networks of dense layers",
        "use nn.Linear on nn.Flatten, or PyTorch itself",
        {
            "nn": """
                Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d
                LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
                Fold Unfold CrossMapLRN2d LocalResponseNorm PixelShuffle PixelUnshuffle
                ChannelShuffle Upsample UpsamplingBilinear2d UpsamplingNearest2d""",
            "nn.functional": """
                conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
                fold unfold local_response_norm pixel_shuffle pixel_unshuffle channel_shuffle
                native_channel_shuffle interpolate upsample upsample_bilinear upsample_nearest
                affine_grid grid_sample""",
            "nn.init": "dirac dirac_",
            "nn.utils": """
                fuse_conv_bn_eval fuse_conv_bn_weights convert_conv2d_weight_memory_format
                convert_conv3d_weight_memory_format""",
        },
    ),
    "pooling": Family(
        "pyml has no images or sequences to pool",
        "use Tensor.mean(dim) or Tensor.amax(dim), or PyTorch itself",
        {
            "nn": """
                AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
                AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d
                FractionalMaxPool2d FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d
                MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d""",
            "nn.functional": """
                adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
                adaptive_max_pool1d_with_indices adaptive_max_pool2d
                adaptive_max_pool2d_with_indices adaptive_max_pool3d
                adaptive_max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d
                fractional_max_pool2d fractional_max_pool2d_with_indices fractional_max_pool3d
                fractional_max_pool3d_with_indices lp_pool1d lp_pool2d lp_pool3d max_pool1d
                max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d
                max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d""",
        },
    ),
    "images": Family(
        "inputs of four and five dimensions are those of convolutions",
        "use the layer for (n, c) or (n, c, length) on a reshaped input, or PyTorch itself",
        {
            "nn": """
                BatchNorm2d BatchNorm3d LazyBatchNorm2d LazyBatchNorm3d InstanceNorm1d
                InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d
                LazyInstanceNorm3d Dropout2d Dropout3d Softmax2d NLLLoss2d CircularPad1d
                CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
                ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
                ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d""",
            "nn.functional": "dropout2d dropout3d instance_norm",
        },
    ),
    "recurrent": Family(
        "pyml is for networks of dense layers",
        "write the step with nn.Linear in a loop, or use PyTorch itself",
        {
            "nn": "RNN RNNBase RNNCell RNNCellBase LSTM LSTMCell GRU GRUCell CTCLoss",
            "nn.functional": "ctc_loss",
            "nn.utils.rnn": """
                PackedSequence pack_padded_sequence pad_packed_sequence pack_sequence
                unpack_sequence invert_permutation""",
        },
    ),
    "attention": Family(
        "pyml is for networks of dense layers",
        "write it with nn.Linear, matmul and softmax, or use PyTorch itself",
        {
            "nn": """
                MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer
                TransformerEncoder TransformerEncoderLayer""",
            "nn.functional": "multi_head_attention_forward scaled_dot_product_attention",
        },
    ),
    "half precision": Family(
        "pyml computes in float32 and float64",
        "use float32",
        {
            "nn.functional": "ScalingType SwizzleType grouped_mm scaled_grouped_mm scaled_mm",
            "nn.Module": "bfloat16 half",
            "Tensor": "bfloat16 half",
        },
    ),
    "sparse": Family(
        "pyml has dense tensors alone",
        "use dense tensors; an index into a dense table costs what its rows cost",
        {
            "optim": "SparseAdam",
            "Tensor": """
                ccol_indices coalesce col_indices crow_indices dense_dim indices is_coalesced
                resize_as_sparse_ row_indices smm sparse_dim sparse_mask sparse_resize_
                sparse_resize_and_clear_ sspaddmm to_sparse to_sparse_bsc to_sparse_bsr
                to_sparse_coo to_sparse_csc to_sparse_csr values to_dense to_mkldnn
                to_padded_tensor""",
        },
    ),
    "quantised": Family(
        "pyml computes in float32 and float64",
        "use float32",
        {
            "Tensor": """
                dequantize int_repr q_per_channel_axis q_per_channel_scales
                q_per_channel_zero_points q_scale q_zero_point qscheme""",
        },
    ),
    "complex": Family(
        "pyml has no complex numbers",
        "keep the real and the imaginary part in two tensors",
        {
            "Tensor": """
                H adjoint angle cdouble cfloat chalf conj conj_physical conj_physical_ imag
                is_conj is_neg isreal istft mH real resolve_conj resolve_neg stft vdot""",
        },
    ),
    "device": Family(
        "pyml runs on the CPU alone",
        "leave it out: every tensor is on the CPU",
        {
            "nn": "SyncBatchNorm",
            "nn.Module": "cuda ipu mtia xpu share_memory",
            "Tensor": """
                cuda ipu is_ipu is_maia is_mtia is_vulkan is_xla is_xpu is_mkldnn mtia pin_memory
                is_pinned record_stream xpu get_device""",
        },
    ),
    "distributed": Family(
        "a pyml program is one process, with threads in its kernels",
        "use the module itself",
        {
            "nn": "DataParallel",
            "nn.parallel": "DistributedDataParallel",
            "utils.data": "DistributedSampler",
            "Tensor": "is_distributed",
        },
    ),
    "data pipes": Family(
        "PyTorch develops them no further",
        "use a Dataset or an IterableDataset",
        {
            "utils.data": """
                DFIterDataPipe DataChunk IterDataPipe MapDataPipe argument_validation
                functional_datapipe guaranteed_datapipes_determinism non_deterministic
                runtime_validation runtime_validation_disabled""",
        },
    ),
    "storage": Family(
        "memory is NumPy's",
        "Tensor.numpy() shows it",
        {
            "Tensor": """
                is_shared share_memory_ is_set_to storage storage_type untyped_storage
                const_data_ptr as_subclass module_load layout""",
        },
    ),
    "names of dimensions": Family(
        "PyTorch has them as a prototype and develops them no further",
        "use the numbers of dimensions",
        {"Tensor": "name"},
    ),
    "deprecated": Family(
        "PyTorch has it for old programs alone",
        "use the name that PyTorch's page gives",
        {
            "nn": "Container",
            "nn.Module": "register_backward_hook",
            "nn.init": """
                constant eye kaiming_normal kaiming_uniform normal orthogonal sparse uniform
                xavier_normal xavier_uniform""",
            "nn.utils": """
                clip_grad_norm weight_norm remove_weight_norm spectral_norm remove_spectral_norm""",
            "autograd": "variable NestedIOFunction",
            "Tensor": """
                symeig lstsq solve eig volatile reinforce map_ map2_ apply_ output_nr resize
                resize_as geqrf orgqr ormqr""",
        },
    ),
    "machinery": Family(
        "it is of PyTorch's inside",
        "PyTorch itself has it",
        {
            "nn": "LinearCrossEntropyOptions factory_kwargs",
            "nn.Module": "T_destination call_super_init dump_patches",
            "nn.functional": "assert_int_or_pair",
            "optim": "swap_in_optimizer_params_and_state",
            "autograd": "enforce_grad_layout_policy set_multithreading_enabled",
            "Tensor": "grad_dtype hash_tensor",
        },
    ),
}  # fmt: skip


def family_of(module, name):
    """The name of the family for which `name` of torch's `module` is left out; None for none."""
    for family, row in FAMILIES.items():
        if name in row.names.get(module, "").split():
            return family
    return None
