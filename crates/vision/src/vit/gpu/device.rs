//! A graphics processor with the kernels of a forward pass, through `wgpu`.

use std::sync::{Arc, Mutex};

use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{
    Adapter, BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType, BufferDescriptor, BufferUsages,
    ComputePipeline, ComputePipelineDescriptor, DeviceType, PollType, ShaderStages,
};

use crate::error::{Error, Result};

/// A kernel of `kernels.wgsl`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Product,
    Normalise,
    Attend,
    Assemble,
    Gate,
}

const ENTRIES: [&str; 5] = ["product", "normalise", "attend", "assemble", "gate"];

/// What a kernel works on, as `Params` in `kernels.wgsl`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Params {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) flags: u32,
    pub(super) tokens: usize,
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) real: f32,
}

/// One launch of a kernel.
#[derive(Debug)]
pub(super) struct Step {
    kernel: Kernel,
    bindings: BindGroup,
    groups: [u32; 3],
}

#[derive(Debug)]
pub(super) struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    layout: BindGroupLayout,
    kernels: Vec<ComputePipeline>,
    /// The first fault that the driver reported.
    fault: Arc<Mutex<Option<String>>>,
    pub(super) name: String,
}

fn refuse(reason: impl Into<String>) -> Error {
    Error::Gpu { reason: reason.into() }
}

/// The best adapter: a card before a built-in processor before the rest, software renderers last and only with `software`.
fn adapter(software: bool) -> Result<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let rank = |a: &Adapter| match a.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    };
    let all = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let best = all.into_iter().filter(|a| software || rank(a) < 4).min_by_key(rank);
    best.ok_or_else(|| refuse("none is there that Vulkan, Metal or Direct3D 12 can reach"))
}

impl Gpu {
    pub(super) fn open(software: bool) -> Result<Self> {
        let adapter = adapter(software)?;
        let info = adapter.get_info();
        let name = format!("{} ({:?})", info.name, info.backend);
        let wanted =
            wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..wgpu::DeviceDescriptor::default() };
        let opened = pollster::block_on(adapter.request_device(&wanted));
        let (device, queue) = opened.map_err(|e| refuse(format!("{name} cannot be used: {e}")))?;
        let fault = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            if let Ok(mut fault) = seen.lock() {
                fault.get_or_insert(e.to_string());
            }
        }));
        let layout = layout(&device);
        let kernels = kernels(&device, &layout);
        let gpu = Self { device, queue, layout, kernels, fault, name };
        gpu.check()?;
        Ok(gpu)
    }

    /// Refuses to go on after a fault.
    pub(super) fn check(&self) -> Result<()> {
        let fault = self.fault.lock().ok().and_then(|f| f.clone());
        fault.map_or(Ok(()), |reason| Err(refuse(format!("{}: {reason}", self.name))))
    }

    /// The largest buffer that a kernel can be given, in values.
    pub(super) fn most_values(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) / 4
    }

    /// A buffer of these values. An empty one has a value, since none may be bound without.
    pub(super) fn upload(&self, values: &[f32]) -> Buffer {
        let contents = bytemuck::cast_slice(if values.is_empty() { &[0.0f32] } else { values });
        self.device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents,
            usage: BufferUsages::STORAGE,
        })
    }

    /// A buffer of `values` zeros for kernels to work in.
    pub(super) fn room(&self, values: usize) -> Buffer {
        self.device.create_buffer(&BufferDescriptor {
            label: None,
            size: 4 * values as u64,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    }

    /// A launch on the buffers x, w, bias, scale and out, in `groups`.
    pub(super) fn step(
        &self,
        kernel: Kernel,
        params: Params,
        buffers: [&Buffer; 5],
        groups: [usize; 3],
    ) -> Step {
        let Params { rows, inner, columns, flags, tokens, first, stride, real } = params;
        let sizes = [rows, inner, columns, flags as usize, tokens, first, stride].map(|v| v as u32);
        let mut words = sizes.to_vec();
        words.push(real.to_bits());
        let params = self.device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(&words),
            usage: BufferUsages::UNIFORM,
        });
        let all = [&params].into_iter().chain(buffers).zip(0..);
        let entries: Vec<BindGroupEntry<'_>> =
            all.map(|(b, binding)| BindGroupEntry { binding, resource: b.as_entire_binding() }).collect();
        let bindings = self.device.create_bind_group(&BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        });
        Step { kernel, bindings, groups: groups.map(|n| n as u32) }
    }

    /// Puts `input` into `into`, launches `steps` in order and brings back the first `count` values of `from`.
    pub(super) fn run(
        &self,
        (input, into): (&[f32], &Buffer),
        steps: &[Step],
        (from, count): (&Buffer, usize),
    ) -> Result<Vec<f32>> {
        self.queue.write_buffer(into, 0, bytemuck::cast_slice(input));
        let size = 4 * count as u64;
        let back = self.device.create_buffer(&BufferDescriptor {
            label: None,
            size,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for Step { kernel, bindings, groups: [x, y, z] } in steps {
            if let Some(pipeline) = self.kernels.get(*kernel as usize) {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bindings, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            }
        }
        drop(pass);
        encoder.copy_buffer_to_buffer(from, 0, &back, 0, size);
        self.queue.submit([encoder.finish()]);
        let (tell, told) = std::sync::mpsc::channel();
        back.map_async(wgpu::MapMode::Read, .., move |mapped| drop(tell.send(mapped)));
        let lost = |e: &dyn std::fmt::Display| refuse(format!("{} gave no answer: {e}", self.name));
        self.device.poll(PollType::wait_indefinitely()).map_err(|e| lost(&e))?;
        self.check()?;
        told.recv().map_err(|e| lost(&e))?.map_err(|e| lost(&e))?;
        let view = back.slice(..).get_mapped_range().map_err(|e| lost(&e))?;
        Ok(view.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

/// Params, four buffers to read and one to write.
fn layout(device: &wgpu::Device) -> BindGroupLayout {
    let entry = |binding| BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer {
            ty: match binding {
                0 => BufferBindingType::Uniform,
                n => BufferBindingType::Storage { read_only: n < 5 },
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<BindGroupLayoutEntry> = (0..6).map(entry).collect();
    device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: None, entries: &entries })
}

fn kernels(device: &wgpu::Device, layout: &BindGroupLayout) -> Vec<ComputePipeline> {
    let module = device.create_shader_module(wgpu::include_wgsl!("kernels.wgsl"));
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    let pipeline = |entry| {
        device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(entry),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        })
    };
    ENTRIES.into_iter().map(pipeline).collect()
}
